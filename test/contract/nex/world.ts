// A workspace of the Nex stand-in in which every operation finds its target, and the input for it.

import type { NexServer } from "../../../sandbox/nex.ts";
import { fieldsOf } from "../../../src/services/input.ts";
import { samples } from "../../services/operations/samples.ts";
import type { Bench } from "../../services/operations/support.ts";

export interface World {
  /** A valid input for the operation, about existing objects. */
  input(name: string): Record<string, unknown>;
}

export async function createWorld(server: NexServer, bench: Bench): Promise<World> {
  /** Runs an operation and returns the named field of the object that it created. */
  const make = async (name: string, input: object, field: string, key = "id"): Promise<string> => {
    const output = fieldsOf(await bench.run(name, input));
    return String(field === "" ? output[key] : fieldsOf(output[field])[key]);
  };
  const objectSlug = "person";
  const person = (attributes: object) => make("nex.records.create", { objectSlug, attributes }, "record");
  const recordId = await person({ name: "Jane Doe", email: "jane@example.com" });
  const otherId = await person({ name: "John Smith" });
  const list = { objectSlug, name: "Key accounts", slug: "key-accounts" };
  const listId = await make("nex.lists.create", list, "list");
  await bench.run("nex.lists.add_record", { listId, recordId });
  const { objects } = fieldsOf(await bench.run("nex.objects.list", { includeAttributes: true }));
  const [personObject, companyObject] = Array.isArray(objects) ? objects.map(fieldsOf) : [];
  const [, email] = Array.isArray(personObject?.attributes) ? personObject.attributes.map(fieldsOf) : [];
  const sides = { objectId1: String(personObject?.id), objectId2: String(companyObject?.id) };
  const relationship = { type: "many_to_many", ...sides, predicate1To2: "knows" };
  const relationshipId = await make("nex.relationships.create", relationship, "relationship");
  const pair = { recordId1: recordId, recordId2: otherId };
  const related = { recordId, relationshipId, ...pair };
  const connectId = await make(
    ...(["nex.integrations.connect", { type: "email", provider: "google" }, "", "connect_id"] as const),
  );
  server.agree(connectId);
  const ids: Record<string, unknown> = {
    ...{ recordId, listId, relationshipId, connectId, ...sides, ...pair },
    recordIds: [recordId],
    attributeId: String(email?.id),
    instanceId: await make("nex.records.add_relationship", related, "relationship"),
    taskId: await make("nex.tasks.create", { title: "Call", recordIds: [recordId] }, "task"),
    noteId: await make("nex.notes.create", { title: "Call", recordId }, "note"),
    artifactId: await make("nex.context.add_text", { content: "Met Mary Major" }, "", "artifactId"),
    jobId: await make("nex.context.list_jobs", { query: "people like jane" }, "", "jobId"),
    jobRunId: await make("nex.compounding.trigger", { jobType: "metrics" }, "job", "job_run_id"),
    connectionId: await make(
      ...(["nex.integrations.get_connect_status", { connectId }, "", "connection_id"] as const),
    ),
    ruleId: await make("nex.notifications.create_rule", { description: "when a deal is at risk" }, "rule"),
  };
  server.notify([{ content: { important_items: [{ title: "Renewal" }], entity_changes: [] } }]);
  server.emit([{ content: "Budget approved" }]);
  return {
    input(name) {
      const sample = samples[name] ?? {};
      const known = Object.keys(sample).flatMap((field) => (field in ids ? [[field, ids[field]]] : []));
      // It is in the list already.
      const other = name === "nex.lists.add_record" ? { recordId: otherId } : {};
      return { ...sample, ...Object.fromEntries(known), ...other };
    },
  };
}
