# Closes the namespaces that this shell runs in, and becomes Python in them: one small folder can be written, nothing
# else. Arguments: that folder, the uid to become ("" to stay), Python's prefix, its path below that, its arguments.
set -eu
hold=$1 uid=$2 prefix=$3 python=$4
shift 4
mount --make-rprivate /
mount -t tmpfs -o size=32m,mode=755 tmpfs "$hold"
mkdir "$hold/python" "$hold/work"
chmod 777 "$hold/work"
mount --rbind "$prefix" "$hold/python"
mount -o remount,bind,ro /
cut -d ' ' -f 5 /proc/self/mountinfo | while read -r point; do
    # A mount below another one cannot be reached, neither by this nor by what runs.
    [ "$point" = "$hold" ] || mount -o remount,bind,ro "$point" 2>/dev/null || :
done
cd "$hold/work"
set -- "$hold/python/$python" "$@"
[ -z "$uid" ] || set -- --reuid "$uid" --regid "$uid" --clear-groups "$@"
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
