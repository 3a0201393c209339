# Runs an operator's command in the namespaces that this shell is in: all of the machine is read-only, except the folder
# of the copy, and /tmp and /dev/shm, which are new and in memory. There is no network, and no other process in sight.
# Arguments: the folder, the command and its arguments. Exit code 125: a file system cannot be made read-only.
set -eu
folder=$1
shift
mount --make-rprivate /
mount --bind "$folder" "$folder"
# The folder may be below /tmp: it is kept at a place of its own while /tmp is covered, and then moved back.
mount -t tmpfs -o size=1m,mode=755 tmpfs /mnt
mkdir /mnt/copy
mount --move "$folder" /mnt/copy
mount -t tmpfs -o size=256m,mode=1777 tmpfs /tmp
[ ! -d /dev/shm ] || mount -t tmpfs -o size=64m,mode=1777 tmpfs /dev/shm
mkdir -p "$folder" 2>/dev/null || [ -d "$folder" ] || exit 125
mount --move /mnt/copy "$folder"
umount /mnt
cut -d ' ' -f 5 /proc/self/mountinfo | while read -r point; do
    case $point in "$folder" | "$folder"/* | /tmp | /dev/shm | /proc | /proc/* | /sys | /sys/* | /dev | /dev/*) continue ;; esac
    # A mount below another one cannot be reached, neither by this nor by what runs.
    mount -o remount,bind,ro "$point" 2>/dev/null || [ ! -e "$point" ] || [ ! -w "$point" ] || exit 125
done
mount -t proc proc /proc 2>/dev/null || :
cd "$folder"
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
