# Closes the namespaces that this shell runs in, and becomes Python in them. Its new root is a small file system in
# memory that holds /usr and Python's own prefix, both read-only, a few devices, and one folder that can be written:
# whatever else the machine has is not there at all.
# Arguments: an empty folder, the uid to become ("" to stay), Python's prefix, its path below that, its arguments.
set -eu
hold=$1 uid=$2 prefix=$3 python=$4
shift 4

offer() { # show a folder or file of the machine at the same place of the new root, read-only
    if [ -d "$1" ]; then mkdir -p "$hold$1"; else mkdir -p "$hold${1%/*}" && : > "$hold$1"; fi
    mount --rbind "$1" "$hold$1"
    mount -o remount,bind,ro "$hold$1"
}

mount --make-rprivate /
mount -t tmpfs -o size=32m,mode=755 tmpfs "$hold"
offer /usr
for folder in /bin /sbin /lib /lib32 /lib64; do
    if [ -L "$folder" ]; then cp -P "$folder" "$hold$folder"; elif [ -d "$folder" ]; then offer "$folder"; fi
done
case $prefix/ in /usr/*) ;; *) offer "$prefix" ;; esac
mkdir "$hold/dev" "$hold/proc" "$hold/old" "$hold/work"
for device in /dev/null /dev/zero /dev/urandom; do
    : > "$hold$device"
    mount --bind "$device" "$hold$device"
done
mount -t proc -o ro,nosuid,nodev,noexec proc "$hold/proc" 2>/dev/null || : # some containers refuse; nothing needs it
chmod 777 "$hold/work"
cd "$hold"
pivot_root . old
umount -l /old
cd /work
set -- "$prefix/$python" "$@"
[ -z "$uid" ] || set -- --reuid "$uid" --regid "$uid" --clear-groups "$@"
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
