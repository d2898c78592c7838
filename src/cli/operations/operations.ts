// nexusctl operations: lists the operations of the services.

import { type Command, Option } from "commander";
import type { OperationView } from "../../contract/api/operations.ts";
import { nearest } from "../../core/text/nearest.ts";
import { SERVICE_NAMES } from "../../services/list.ts";
import { type Act, type CliContext, jsonOf } from "../context.ts";
import { Failed } from "../problem.ts";
import { helpOf } from "./operation-help.ts";
import { rawElements } from "./raw-json.ts";

export function addOperations(program: Command, act: Act): void {
  const operations = program
    .command("operations")
    .description("list and describe the operations of the services");

  operations
    .command("list", { isDefault: true })
    .description("list the operations")
    .addOption(new Option("--service <service>", "only those of one service").choices(SERVICE_NAMES))
    .addOption(new Option("--effect <effect>", "only reads or only writes").choices(["read", "write"]))
    .action(
      act(async ({ client, output, io }, wanted: { service?: string; effect?: "read" | "write" }) => {
        const found = await client.operations({ ...wanted, signal: io.signal });
        if (!output.isHuman) return await output.json(jsonOf(found));
        await output.table(
          ["OPERATION", "EFFECT", "APPROVAL", "WHAT IT DOES"],
          found.map(({ name, effect, approval, title, destructive }) => [
            name,
            destructive ? `${effect}, deletes` : effect,
            approval,
            title,
          ]),
        );
      }),
    );

  operations
    .command("show")
    .description("describe an operation and its input")
    .argument("<name>")
    .action(
      act(async (context, name: string) => {
        const { operation, json } = await findOperation(context, name);
        if (!context.output.isHuman) return await context.output.json(json);
        for (const line of helpOf(operation)) await context.output.text(line);
      }),
    );
}

/**
 * The operation of that name, and its exact JSON.
 * @throws Failed `operation_not_found` with similar names
 */
export async function findOperation(
  { client, io }: CliContext,
  name: string,
): Promise<{ operation: OperationView; json: string }> {
  const operations = await client.operations({ signal: io.signal });
  const at = operations.findIndex((one) => one.name === name);
  const operation = operations[at];
  const json = rawElements(`{"operations":${jsonOf(operations)}}`, "operations")[at];
  if (operation && json !== undefined) return { operation, json };
  const like = nearest(
    name,
    operations.map((one) => one.name),
  );
  throw new Failed({
    title: "No such operation",
    status: 404,
    detail: `There is no operation "${name}". ${like.length > 0 ? `Did you mean ${like.join(" or ")}?` : "nexusctl operations lists them."}`,
    code: "operation_not_found",
  });
}
