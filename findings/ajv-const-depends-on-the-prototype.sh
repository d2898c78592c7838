#!/usr/bin/env bash
# Whether ajv finds an object equal to `const` depends on how the object was made.
# ajv 8.20.0
#
# A good guess: JSON Schema speaks of JSON values, so two objects with the same members are equal.
# What happens: an object without a prototype, as node:querystring and several parsers make them so that no member can be
# mistaken for an inherited one, is never equal to a constant or one of an enum. All other keywords take it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund ajv@8.20.0 node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >case.mjs <<'END'
import { parse } from "node:querystring";
import Ajv from "ajv";

const ajv = new Ajv();
for (const schema of [{ const: { page: "2" } }, { enum: [{ page: "2" }] }, { properties: { page: { const: "2" } } }]) {
  const validate = ajv.compile(schema);
  console.log(JSON.stringify(schema), "literal:", validate({ page: "2" }), "parsed:", validate(parse("page=2")));
}
END

cat >expected <<'END'
{"const":{"page":"2"}} literal: true parsed: false
{"enum":[{"page":"2"}]} literal: true parsed: false
{"properties":{"page":{"const":"2"}}} literal: true parsed: true
END

node case.mjs | tee seen
diff expected seen
echo "as described"
