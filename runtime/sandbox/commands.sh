# Runs an operator's command in the namespaces that this shell is in: all of the machine is read-only, except the folder
# of the copy, and /tmp and /dev/shm, which are new and in memory. There is no network, and no other process in sight.
# Arguments: the folder, sockets to cover, `--`, folders below /tmp that stay visible, `--`, the command and its
# arguments. Exit code 125: a socket cannot be covered, or a file system cannot be made read-only.
set -eu
folder=$1
shift
mount --make-rprivate /
while [ "$1" != -- ]; do
    mount --bind /dev/null "$1" 2>/dev/null || [ ! -S "$1" ] || exit 125
    shift
done
shift
mount --bind "$folder" "$folder"
# The folder and others may be below /tmp: they are kept at places of their own while /tmp is covered, then moved back.
mount -t tmpfs -o size=1m,mode=755 tmpfs /mnt
mkdir /mnt/copy
mount --move "$folder" /mnt/copy
kept=0
for visible in "$@"; do
    [ "$visible" != -- ] || break
    mkdir "/mnt/$kept"
    mount --bind "$visible" "/mnt/$kept"
    kept=$((kept + 1))
done
mount -t tmpfs -o size=256m,mode=1777 tmpfs /tmp
[ ! -d /dev/shm ] || mount -t tmpfs -o size=64m,mode=1777 tmpfs /dev/shm
kept=0
while [ "$1" != -- ]; do
    mkdir -p "$1"
    mount --move "/mnt/$kept" "$1"
    kept=$((kept + 1))
    shift
done
shift
mkdir -p "$folder" 2>/dev/null || [ -d "$folder" ] || exit 125
mount --move /mnt/copy "$folder"
umount /mnt
# The kernel writes a space in a path as \040: `%b` reads that as \0040.
cut -d ' ' -f 5 /proc/self/mountinfo | sed 's/\\/\\0/g' | while read -r escaped; do
    point=$(printf '%b' "$escaped")
    case $point in "$folder" | "$folder"/* | /tmp | /dev/shm | /proc | /proc/* | /sys | /sys/* | /dev | /dev/*) continue ;; esac
    # A mount below another one cannot be reached, neither by this nor by what runs.
    mount -o remount,bind,ro "$point" 2>/dev/null || [ ! -e "$point" ] || [ ! -w "$point" ] || exit 125
done
mount -t proc proc /proc 2>/dev/null || :
cd "$folder"
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
