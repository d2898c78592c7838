// Parts of a JSON document as exact text, for output that must not change a digit.

/**
 * The elements of the array that is the member `name` of the outermost object, each as its exact text on one line.
 * @param json a valid JSON document
 */
export function rawElements(json: string, name: string): string[] {
  const elements: string[] = [];
  let depth = 0;
  let key = "";
  let inside = false;
  let start = -1;

  for (let at = 0; at < json.length; at++) {
    const char = json[at];
    if (char === '"') {
      const end = stringEnd(json, at);
      if (depth === 1) key = json.slice(at + 1, end);
      if (inside && start < 0) start = at;
      at = end;
    } else if (char === "{" || char === "[") {
      depth++;
      if (depth === 2 && char === "[" && key === name) inside = true;
      else if (inside && start < 0) start = at;
    } else if (char === "}" || char === "]" || char === ",") {
      const ends = char === "," ? depth === 2 : depth === 2 && char === "]";
      if (inside && ends && start >= 0) {
        elements.push(oneLine(json.slice(start, at)));
        start = -1;
      }
      if (char !== ",") {
        if (depth === 2) inside = false;
        depth--;
      }
    } else if (inside && start < 0 && !/\s/.test(char ?? "")) start = at;
  }
  return elements;
}

/** JSON on one line: a line break in valid JSON is always between tokens. */
export const oneLine = (json: string): string => json.replace(/[\r\n]+/g, " ").trim();

function stringEnd(json: string, quote: number): number {
  for (let at = quote + 1; at < json.length; at++) {
    if (json[at] === "\\") at++;
    else if (json[at] === '"') return at;
  }
  return json.length;
}
