# Unpacks the Debian package $2 into the folder $1, as any user: apt's lists are read anew into that folder, so the machine's
# own are neither needed nor changed. With `libraries` as $3, all that it needs and this machine has not comes with it, and
# `run` starts $4 with them.
set -eu
mkdir -p "$1/apt/lists/partial" "$1/apt/archives/partial"
cd "$1"
package=$2 libraries=${3-} program=${4-}
set -- -qq -o Dir::State="$PWD/apt" -o Dir::Cache="$PWD/apt" -o Dir::State::status=/var/lib/dpkg/status \
    -o APT::Sandbox::User=root
apt-get "$@" update
if [ "$libraries" = libraries ]; then
    packages=$(apt-get "$@" --no-install-recommends --simulate install "$package" | sed -n 's/^Inst \([^ ]*\).*/\1/p')
else
    packages=$package
fi
# shellcheck disable=SC2086 # one word for each package
apt-get "$@" download $packages
for file in ./*.deb; do dpkg -x "$file" .; done
rm -r apt ./*.deb
if [ "$libraries" = libraries ]; then
    cat >run <<'END'
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
for dir in $(find "$here/lib" "$here/usr/lib" -name '*.so*' -exec dirname {} \; 2>/dev/null | sort -u); do
    LD_LIBRARY_PATH=$dir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
done
export LD_LIBRARY_PATH
if [ ! -e /etc/fonts/fonts.conf ]; then
    export FONTCONFIG_FILE="$here/fonts.conf"
fi
END
    printf 'exec "$here/%s" "$@"\n' "$program" >>run
    echo '<fontconfig><dir prefix="relative">usr/share/fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>' >fonts.conf
    chmod +x run
fi
