# Creates one repository of each kind in the current directory. Times and names, and so all IDs, are the same on every
# run.
set -euo pipefail
clock=1767225600
tick() { clock=$((clock + 60)); export GIT_AUTHOR_DATE="$clock +0100" GIT_COMMITTER_DATE="$((clock + 5)) +0000"; }
commit() { tick; git commit -q --allow-empty -m "$@"; }
git() { command git -c core.quotePath=true -c commit.gpgSign=false -c advice.detachedHead=false -c protocol.file.allow=always "$@"; }

# --- normal
git init -q -b main normal
cd normal
mkdir src docs
printf 'fn main() {\n    println!("hello");\n}\n' > src/main.rs
printf 'guide\n' > docs/guide.md
printf '*.log\n' > .gitignore
git add .; commit 'First commit'
printf 'pub fn add(a: i64, b: i64) -> i64 {\n    a + b\n}\n' > src/lib.rs
git add .; commit 'Add a library' -m 'With a body.' -m 'Signed-off-by: Ada <ada@example.test>'
git tag light
git checkout -q -b feature
printf 'feature\n' > src/feature.rs
git add .; GIT_AUTHOR_NAME=Bob GIT_AUTHOR_EMAIL=bob@example.test commit 'Add a feature'
git checkout -q main
printf 'more\n' >> docs/guide.md
git add .; commit 'More guide'
tick; git merge -q --no-ff -m 'Merge branch feature' feature
git mv docs/guide.md docs/handbook.md; commit 'Rename the guide'
git rm -q src/feature.rs; commit 'Remove the feature'
printf '\000\001\002binary\377' > data.bin; printf '#!/bin/sh\n' > run.sh; chmod +x run.sh; ln -s run.sh link
git add .; commit 'A binary file, a script and a link'
tick; git tag -a v1.0 -m 'Version 1.0'
git checkout -q -b one HEAD~1; printf '1\n' > one.txt; git add .; commit 'One'
git checkout -q -b two HEAD~1; printf '2\n' > two.txt; git add .; commit 'Two'
git checkout -q main
tick; git merge -q --no-ff -m 'Merge one and two' one two
tick; git notes add -m 'A note' HEAD
git branch side v1.0
git remote add origin https://git.example.test/shop/web.git
git remote add mirror git@mirror.example.test:shop/web.git
git update-ref refs/remotes/origin/main HEAD~1
git symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main
git config branch.main.remote origin; git config branch.main.merge refs/heads/main
printf 'stashed\n' >> src/lib.rs; tick; git stash -q
printf '// changed\n' >> src/main.rs
printf 'staged\n' > staged.txt; git add staged.txt
printf 'untracked\n' > untracked.txt
printf 'ignored\n' > debug.log
cd ..

# --- clones and working trees of normal
git clone -q --bare normal bare.git
git -C bare.git update-server-info
git clone -q --depth 2 "file://$PWD/normal" shallow
git clone -q normal detached; git -C detached checkout -q v1.0
git -C normal worktree add -q ../worktree side
git init -q -b main empty
mkdir none; printf 'no repository\n' > none/file

# --- corrupt: a blob is malformed, a tree is missing, a branch points to no object
git init -q -b main corrupt
cd corrupt
for n in 1 2 3; do printf '%s\n' "$n" > "file$n"; git add .; commit "Commit $n"; done
object() { git rev-parse "$1" | sed 's#^\(..\)#.git/objects/\1/#'; }
blob=$(object HEAD~1:file2); chmod +w "$blob"; printf 'garbage' > "$blob"
rm -f "$(object 'HEAD~2^{tree}')"
printf '%040d\n' 7 | tr 0 a > .git/refs/heads/dangling
printf 'not an id\n' > .git/refs/heads/broken
cd ..

# --- names that are not UTF-8
git init -q -b main names
cd names
printf 'a\n' > "$(printf 'caf\351.txt')"; printf 'b\n' > 'two words "quoted".txt'; printf 'c\n' > "$(printf 'new\nline.txt')"; printf 'd\n' > 'grüße.txt'
git add .
tick; printf 'Caf\351 message\n' > ../message.tmp
GIT_AUTHOR_NAME=$(printf 'Ren\351') git -c i18n.commitEncoding=ISO-8859-1 commit -q -F ../message.tmp
tick; printf 'no encoding header \377\376\n' > ../message.tmp
tree=$(git rev-parse 'HEAD^{tree}'); parent=$(git rev-parse HEAD)
{ printf 'tree %s\nparent %s\nauthor \377\376 <x@example.test> %s +0100\ncommitter C <c@example.test> %s +0000\n\n' "$tree" "$parent" "$clock" "$clock"; cat ../message.tmp; } > ../commit.tmp
git update-ref refs/heads/main "$(git hash-object -t commit -w --literally ../commit.tmp)"
git branch "$(printf 'br\344nch')"
git reset -q --hard
rm ../message.tmp ../commit.tmp
cd ..
