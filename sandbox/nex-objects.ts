/** The kinds of records that the workspace of the Nex stand-in starts with. */

export interface AttributeDefinition {
  id: string;
  slug: string;
  name: string;
  type: string;
  description: string;
  options: Record<string, unknown>;
}

export interface ObjectDefinition {
  id: string;
  slug: string;
  name: string;
  name_plural: string;
  type: string;
  description: string;
  created_at: string;
  attributes: AttributeDefinition[];
}

const definition = (
  id: number,
  slug: string,
  names: [string, string],
  attributes: [string, string][],
): ObjectDefinition => ({
  id: `3241426818802765${id}`,
  slug,
  name: names[0],
  name_plural: names[1],
  type: slug,
  description: `A ${slug} of the workspace`,
  created_at: "2026-01-05T08:00:00Z",
  attributes: attributes.map(([attribute, type], index) => ({
    id: `3241426818802766${id}${index}`,
    slug: attribute,
    name: attribute.replaceAll("_", " "),
    type,
    description: "",
    options: { is_required: attribute === "name", is_unique: type === "email", is_multi_value: false },
  })),
});

/** A fresh copy each time: a workspace changes its own. */
export const seededObjects = (): ObjectDefinition[] => [
  definition(
    0,
    "person",
    ["Person", "People"],
    [
      ["name", "full_name"],
      ["email", "email"],
      ["job_title", "text"],
      ["phone", "phone"],
    ],
  ),
  definition(
    1,
    "company",
    ["Company", "Companies"],
    [
      ["name", "text"],
      ["domain", "domain"],
    ],
  ),
];
