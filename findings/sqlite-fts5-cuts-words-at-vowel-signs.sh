#!/usr/bin/env bash
# SQLite's tokenizer unicode61 takes vowel signs for gaps between words.
# better-sqlite3 13.2.0 (SQLite 3.54.1)
#
# A good guess: FTS5 with `unicode61 remove_diacritics 2` folds marks, in every script, so that a word written with
# its vowel signs is found without them, as é is found by e.
# What happens: marks of Latin letters are folded. An Arabic, Hebrew or Hindi word is cut at each sign, so that the
# index holds pieces of words, mostly single consonants. Hence a vocalised word is not found by its plain form, and a
# Hindi word is found by any other word with the same consonants.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund better-sqlite3@13.2.0 node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >case.mjs <<'END'
import Database from "better-sqlite3";

const db = new Database(":memory:");
db.exec(`create virtual table texts using fts5(text, tokenize = "unicode61 remove_diacritics 2")`);
db.exec(`create virtual table terms using fts5vocab(texts, 'row')`);
const add = db.prepare("insert into texts values (?)");
for (const text of ["café", "مُحَمَّد", "בִּיקֵּשׁ", "भाषा"]) add.run(text);
console.log("terms:", db.prepare("select term from terms order by term").pluck().all().join(" "));
const find = (word) => db.prepare("select text from texts where texts match ?").pluck().all(`"${word}"`);
console.log("cafe finds", find("cafe"));
console.log("the plain Arabic word finds", find("محمد"));
console.log("a Hindi word with other vowels finds", find("भूषी"));
END

cat >expected <<'END'
terms: cafe ב יק ש ح د م भ ष
cafe finds [ 'café' ]
the plain Arabic word finds []
a Hindi word with other vowels finds [ 'भाषा' ]
END

node case.mjs | tee seen
diff expected seen
echo "as described"
