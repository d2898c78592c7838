// Writes proposed at a socket of a real daemon, and followed to their end where the policy approves them.

import { ask, until } from "./daemon.ts";

/** @param socket asked each time, since a test may only later have one */
export function createProposer(socket: () => string) {
  const propose = async (operation: string, input: object): Promise<string> => {
    const { text } = await ask(socket(), "/v1/writes", { method: "POST", body: { operation, input } });
    return JSON.parse(text).id;
  };
  const ended = (id: string) =>
    until(async () => {
      const write = JSON.parse((await ask(socket(), `/v1/writes/${id}`)).text);
      return ["succeeded", "failed", "unknown"].includes(write.state) && write;
    }, "the end of the write");
  return { propose, ended };
}
