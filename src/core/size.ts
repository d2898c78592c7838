// Sizes as people write them: "512B", "256KiB", "32MiB", "1GiB".

const UNIT_BYTES = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;

/** @returns bytes, or undefined when the text is not a size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,10}(?:\.\d{1,3})?)(B|KiB|MiB|GiB)$/.exec(text.trim());
  if (!match) return undefined;
  const [, amount, unit] = match;
  return Math.round(Number(amount) * UNIT_BYTES[unit as keyof typeof UNIT_BYTES]); // the pattern admits no other unit
}

/** The largest unit that divides it, as a person would write it: `32 MiB`, `1000 B`. */
export function sizeText(bytes: number): string {
  for (const unit of ["GiB", "MiB", "KiB"] as const)
    if (bytes >= UNIT_BYTES[unit] && bytes % UNIT_BYTES[unit] === 0)
      return `${bytes / UNIT_BYTES[unit]} ${unit}`;
  return `${bytes} B`;
}
