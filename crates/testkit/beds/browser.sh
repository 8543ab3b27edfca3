# Chromium without a screen. It reads commands of the DevTools protocol from the pipe `in` and writes responses to the pipe
# `out`. Each message ends with a NUL byte.
mkfifo "$BED/in" "$BED/out"
( own_cgroups
  exec chromium --headless=new --no-sandbox --disable-gpu --no-first-run --disable-dev-shm-usage --hide-scrollbars \
    --window-size=1200,800 --user-data-dir="$BED/profile" --remote-debugging-pipe about:blank \
    <"/dev/null" >>"$BED/chromium.log" 2>&1 3<"$BED/in" 4>"$BED/out" ) &
echo "$! chromium" >> "$BED/pids"
stay
