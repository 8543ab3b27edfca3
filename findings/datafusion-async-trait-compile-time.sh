#!/usr/bin/env bash
# datafusion-expr 55.2.0, async-trait 0.1.92: a method of an #[async_trait] that takes `&[Expr]` costs rustc 1.95 about 2.7 s of
# processor time, 15 times as much as the same code written by hand. The attribute gives the method bounds between
# lifetimes. In such an environment rustc proves anew that each type within `Expr` is Sync, because its cache holds only
# proofs without bounds. A large AST alone does not cost that: with `sqlparser::ast::Expr` both take 0.2 s.
# DataFusion's own traits (TableProvider, QueryPlanner, ExtensionPlanner) have such methods. Who implements them without
# the attribute, and makes the future in a free function, builds faster: three methods here took 22 s of a crate's 43 s.
# Fails if that changes. Needs cargo.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p attribute/src by_hand/src
printf '[workspace]\nmembers = ["attribute", "by_hand"]\nresolver = "3"\n' > Cargo.toml
for name in attribute by_hand; do
  printf '[package]\nname = "%s"\nversion = "0.0.0"\nedition = "2024"\n[dependencies]\nasync-trait = "=0.1.92"\ndatafusion-expr = "=55.2.0"\n' \
    $name > $name/Cargo.toml
done
cat > attribute/src/lib.rs <<'RUST'
use datafusion_expr::Expr;

#[async_trait::async_trait]
pub trait Scan {
    async fn scan(&self, filters: &[Expr]) -> usize;
}

pub struct Table;
RUST
cp attribute/src/lib.rs by_hand/src/lib.rs
cat >> attribute/src/lib.rs <<'RUST'

#[async_trait::async_trait]
impl Scan for Table {
    async fn scan(&self, filters: &[Expr]) -> usize {
        filters.len()
    }
}
RUST
cat >> by_hand/src/lib.rs <<'RUST'

type Scanned<'a> = std::pin::Pin<Box<dyn Future<Output = usize> + Send + 'a>>;

fn scan<'a>(_: &'a Table, filters: &'a [Expr]) -> Scanned<'a> {
    Box::pin(async move { filters.len() })
}

impl Scan for Table {
    fn scan<'a, 'b, 'c>(&'a self, filters: &'b [Expr]) -> Scanned<'c>
    where
        'a: 'c,
        'b: 'c,
    {
        scan(self, filters)
    }
}
RUST
export CARGO_TARGET_DIR="$folder/target" TIMEFORMAT=%U
cargo check --quiet
rustc --version
for name in attribute by_hand; do
  cargo clean --quiet --package $name
  { time cargo check --quiet --package $name; } 2> $name.seconds
  echo "$name: $(cat $name.seconds) s of processor time"
done
awk 'NR == 1 { attribute = $1 } NR == 2 { by_hand = $1 }
  END { exit !(attribute > 4 * by_hand) }' attribute.seconds by_hand.seconds
