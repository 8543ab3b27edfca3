# moto's server: AWS on one loopback port.
export MOTO_IAM_LOAD_MANAGED_POLICIES=true MOTO_PORT=$API_PORT
spawn moto "$CACHE/moto/bin/moto_server" -H 127.0.0.1 -p "$API_PORT"
wait_for 60 moto curl -sf -o /dev/null "http://127.0.0.1:$API_PORT/moto-api/data.json"
stay
