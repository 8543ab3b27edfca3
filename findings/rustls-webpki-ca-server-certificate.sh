#!/usr/bin/env bash
# rustls-webpki 0.103.16: a server certificate with CA:TRUE is refused (CaUsedAsEndEntity), although a configured authority signed
# it and it names the host. OpenSSL, Go and so kubectl accept it. Such certificates are what small clusters make when they
# sign a server certificate with the settings of an authority. A self-signed certificate that is its own trust anchor is
# refused too, with the same error.
# Fails if that changes. Needs cargo, a C compiler and openssl.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
new_key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key" 2>/dev/null; }
new_key authority
openssl req -x509 -new -key authority.key -subj /CN=authority -days 30 -addext basicConstraints=critical,CA:TRUE -out authority.pem
for is_ca in TRUE FALSE; do
  new_key "leaf-$is_ca"
  openssl req -new -key "leaf-$is_ca.key" -subj /CN=server -out "leaf-$is_ca.csr"
  printf 'basicConstraints=critical,CA:%s\nsubjectAltName=DNS:api.test\n' $is_ca > "leaf-$is_ca.ext"
  openssl x509 -req -in "leaf-$is_ca.csr" -CA authority.pem -CAkey authority.key -CAcreateserial -days 30 \
    -extfile "leaf-$is_ca.ext" -out "leaf-$is_ca.pem" 2>/dev/null
  openssl verify -purpose sslserver -verify_hostname api.test -CAfile authority.pem "leaf-$is_ca.pem"
done
new_key self
openssl req -x509 -new -key self.key -subj /CN=self -days 30 -addext subjectAltName=DNS:api.test -out self.pem
openssl verify -purpose sslserver -verify_hostname api.test -CAfile self.pem self.pem
for name in authority leaf-TRUE leaf-FALSE self; do openssl x509 -in $name.pem -outform DER -out $name.der; done
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "ca-leaf"
version = "0.0.0"
edition = "2021"
[dependencies]
pki_types = { package = "rustls-pki-types", version = "=1.15.1" }
webpki = { package = "rustls-webpki", version = "=0.103.16", features = ["ring", "std"] }
TOML
cat > src/main.rs <<'RUST'
use std::time::{Duration, SystemTime};
use pki_types::{CertificateDer, UnixTime};

fn outcome(anchor: &str, leaf: &str) -> String {
    let read = |name: &str| CertificateDer::from(std::fs::read(format!("{name}.der")).unwrap());
    let (anchor, leaf) = (read(anchor), read(leaf));
    let anchors = [webpki::anchor_from_trusted_cert(&anchor).unwrap()];
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + Duration::from_secs(5);
    let leaf = webpki::EndEntityCert::try_from(&leaf).unwrap();
    let usage = webpki::KeyUsage::server_auth();
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    match leaf.verify_for_usage(algorithms, &anchors, &[], UnixTime::since_unix_epoch(now), usage, None, None) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

fn main() {
    for (anchor, leaf) in [("authority", "leaf-FALSE"), ("authority", "leaf-TRUE"), ("self", "self")] {
        println!("{leaf} under {anchor}: {}", outcome(anchor, leaf));
    }
}
RUST
CARGO_TARGET_DIR="$folder/target" cargo run --quiet | tee output
diff output - <<'SEEN'
leaf-FALSE under authority: accepted
leaf-TRUE under authority: CaUsedAsEndEntity
self under self: CaUsedAsEndEntity
SEEN
