// Writes proposed on a real daemon's socket, and followed to their end if the policy approves them.

import { ask, until } from "./daemon.ts";

/** @param socket read each time, because a test may have it only later */
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
