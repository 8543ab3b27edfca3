# moto's server: AWS on one loopback port; with MOTO_TLS=1 over TLS.
export MOTO_IAM_LOAD_MANAGED_POLICIES=true MOTO_PORT=$API_PORT
scheme=http tls=()
if [ "${MOTO_TLS:-}" = 1 ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=moto \
        -addext subjectAltName=IP:127.0.0.1 -keyout "$BED/server.key" -out "$BED/server.crt" || die "no certificate"
    scheme=https tls=(-s -c "$BED/server.crt" -k "$BED/server.key")
fi
spawn moto "$CACHE/moto/bin/moto_server" -H 127.0.0.1 -p "$API_PORT" "${tls[@]}"
wait_for 60 moto curl -skf -o /dev/null "$scheme://127.0.0.1:$API_PORT/moto-api/data.json"
stay
