#!/bin/bash
# Makes a small disk that really boots (BIOS, serial console), from Debian's own kernel, busybox and syslinux, and
# prints the directory with it: debian.raw (64 MiB), debian.qcow2 and debian.raw.xz. Made once; needs no root, no loop device.
set -euo pipefail
export HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)} # unset in some containers
cd "$(dirname "$0")"
key=$(sha256sum build.sh init | sha256sum | cut -c1-16)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cdi-run
out=$cache/bootable-$key
if [[ -d $out ]]; then
    echo "$out"
    exit
fi

size_mib=64
export PATH=$PATH:/usr/sbin:/sbin
here=$PWD
mkdir -p "$cache"
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

fetch() { # the Debian packages with kernel and busybox, unpacked but not installed
    local kernel
    kernel=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-/ {print $2; exit}')
    [[ -n $kernel ]] && apt-get -qq -o APT::Sandbox::User=root download "$kernel" busybox-static
}

make_initrd() {
    mkdir -p root/{bin,dev,proc,sys,modules}
    cp "$(find debian -path '*/bin/busybox')" root/bin/
    cp "$here/init" root/init
    chmod 755 root/init
    find debian \( -name 'virtio.ko*' -o -name 'virtio_ring.ko*' -o -name 'virtio_pci*.ko*' -o -name 'virtio_blk.ko*' \) \
        -exec cp {} root/modules/ \;
    find root/modules -name '*.xz' -exec xz -d {} +
    (cd root && find . | cpio -o -H newc --quiet | gzip -9) >initrd.gz
}

make_disk() { # KERNEL: one FAT partition at 1 MiB with kernel and initramfs
    truncate -s ${size_mib}M debian.raw
    echo '2048,,0x0e,*' | sfdisk -q debian.raw
    mformat -i debian.raw@@1M -v CDI -T $(((size_mib - 1) * 2048)) -h 255 -s 63 ::
    cat >syslinux.cfg <<'EOF'
SERIAL 0 115200
DEFAULT linux
PROMPT 0
LABEL linux
  KERNEL /vmlinuz
  APPEND initrd=/initrd.gz console=ttyS0 quiet panic=-1
EOF
    mcopy -i debian.raw@@1M "$1" ::/vmlinuz
    mcopy -i debian.raw@@1M initrd.gz syslinux.cfg ::/
    syslinux --install --offset $((2048 * 512)) debian.raw
    dd if=/usr/lib/syslinux/mbr/mbr.bin of=debian.raw bs=440 count=1 conv=notrunc status=none
}

fetch || { apt-get -qq update && fetch; }
for package in *.deb; do dpkg-deb -x "$package" debian; done
make_initrd
make_disk debian/boot/vmlinuz-*

mkdir images
mv debian.raw images/
qemu-img convert -c -O qcow2 images/debian.raw images/debian.qcow2
xz -T1 -k -6 images/debian.raw
mv images "$out"
echo "$out"
