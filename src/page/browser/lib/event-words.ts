// Summarizes an event in the few words that fit into a list. It knows no service: it uses commonly named fields.

type Data = Record<string, unknown>;

const LONGEST = 240;
/** Those that say what happened come first; none is repeated. */
const TOLD = [
  ...[
    "sku",
    "orderNumber",
    "awbNumber",
    "name",
    "alias",
    "job",
    "sink",
    "node",
    "service",
    "operation",
    "agentId",
  ],
  ...["orderStatus", "status", "state", "availableQuantity", "threshold", "totalAmount", "currency"],
  ...["signer", "text", "code", "message", "reason", "note", "failures", "consumer", "version"],
];

/** @param json a CloudEvent of the log */
export function eventWords(json: string): string {
  const { subject, data }: { subject?: string; data: unknown } = JSON.parse(json); // the log's own contract
  const said = data && typeof data === "object" ? words(data as Data) : String(data ?? ""); // checked right here
  const all = said || (subject ?? "") || JSON.stringify(data);
  return all.length > LONGEST ? `${all.slice(0, LONGEST).toWellFormed()}…` : all;
}

function words(data: Data): string {
  const inner = ["insight", "error"].map((key) => data[key]).find((one) => one && typeof one === "object");
  const fields = { ...(inner as Data | undefined), ...data }; // checked right above
  const content = typeof fields.content === "string" ? [fields.content] : [];
  return [...TOLD.map((key) => fields[key]).filter(isShown), ...content].join(" · ");
}

const isShown = (value: unknown): value is string | number =>
  (typeof value === "string" && value !== "") || typeof value === "number";
