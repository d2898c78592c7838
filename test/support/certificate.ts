// A self-signed certificate for 127.0.0.1 and localhost, created for each run: no key is ever kept in a file.

import { generateKeyPairSync, sign } from "node:crypto";

export interface Certificate {
  /** PEM, as `node:tls` takes it; `cert` is also what a client must trust. */
  key: string;
  cert: string;
}

const HOUR_MS = 3_600_000;

/** X.509 version 3 (RFC 5280) by hand: Node.js reads certificates, but cannot create them. */
export function makeCertificate(): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const ecdsaWithSha256 = sequence(objectId("2a8648ce3d040302"));
  const name = sequence(tagged(0x31, sequence(objectId("550403"), tagged(0x0c, Buffer.from("nexusd test")))));
  const alternativeNames = sequence(
    tagged(0x82, Buffer.from("localhost")),
    tagged(0x87, Buffer.from([127, 0, 0, 1])),
  );
  const extensions = tagged(
    0xa3,
    sequence(
      sequence(objectId("551d11"), octets(alternativeNames)),
      // It may sign certificates: itself.
      sequence(objectId("551d13"), octets(sequence(tagged(0x01, Buffer.from([0xff]))))),
    ),
  );
  const content = sequence(
    tagged(0xa0, integer(2)),
    integer(1),
    ecdsaWithSha256,
    name,
    sequence(time(Date.now() - HOUR_MS), time(Date.now() + 24 * HOUR_MS)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    extensions,
  );
  const signature = sign("sha256", content, privateKey);
  const bits = tagged(0x03, Buffer.concat([Buffer.from([0]), signature]));
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    cert: pem(sequence(content, ecdsaWithSha256, bits)),
  };
}

// DER: a tag, the length, the contents.

function tagged(tag: number, contents: Buffer): Buffer {
  const length: number[] = [];
  for (let left = contents.length; left > 0; left >>= 8) length.unshift(left & 0xff);
  const head = contents.length < 0x80 ? [contents.length] : [0x80 | length.length, ...length];
  return Buffer.concat([Buffer.from([tag, ...head]), contents]);
}

const sequence = (...parts: Buffer[]) => tagged(0x30, Buffer.concat(parts));
const objectId = (hex: string) => tagged(0x06, Buffer.from(hex, "hex"));
const octets = (contents: Buffer) => tagged(0x04, contents);
const integer = (value: number) => tagged(0x02, Buffer.from([value]));
const time = (ms: number) =>
  tagged(0x18, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`));

function pem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}
