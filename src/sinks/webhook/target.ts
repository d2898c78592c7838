// Delivers the events themselves, in order: a request is repeated until it is answered 2xx, and later events wait. If
// the answer is lost, the same events come again with the same webhook-id.

import type { Notice } from "../../contract/notice-shape.ts";
import { partsOf } from "../address.ts";
import type { Outcome, Refusal, Target, TargetContext } from "../kind.ts";
import { refusalOf, refused } from "../refusal.ts";
import { openBacklog } from "./backlog.ts";
import type { WebhookSettings } from "./kind.ts";
import { type Message, messageOf, sendable } from "./message.ts";
import { send } from "./send.ts";
import { SigningSecretError, signerOf } from "./signature.ts";
import { testMessage } from "./test-message.ts";
import { wordsFor } from "./words.ts";

export function createWebhook(context: TargetContext<WebhookSettings>): Target {
  const { sink, consumer, settings, clock, random, secret, http } = context;
  const { origin, path } = partsOf(settings.url);
  const isBatch = settings.format === "batch";
  const client = http({ origin, timeoutMs: settings.timeout });
  const backlog = openBacklog(context, isBatch ? settings.batch_events : 1);

  /** @returns the refusal; undefined: it was answered 2xx */
  const sent = async (message: Message, signal: AbortSignal, words: ReturnType<typeof wordsFor>) => {
    try {
      const sign = signerOf(["secret", "previous_secret"].flatMap((key) => secret(key) ?? []));
      const headers = sign(message.id, clock.now(), message.body);
      await send(message, { client, clock, path, headers, signal });
      return undefined;
    } catch (error) {
      if (error instanceof SigningSecretError) return refused("bad_secret", `each secret ${error.message}`);
      return refusalOf(error, "the receiver", words);
    }
  };

  const deliver = async (signal: AbortSignal): Promise<Outcome> => {
    const next = await backlog.next();
    if (!next)
      return refused("no_consumer", `the consumer "${consumer}" is gone: reload, which makes it again`);
    const [first, ...others] = next.events;
    if (!first) return { kind: "acknowledged", upTo: next.upTo };
    const message = messageOf([sendable(first), ...others.map(sendable)], isBatch);
    const refusal = await sent(message, signal, wordsFor(first.sequence, next.upTo));
    return refusal ?? { kind: "acknowledged", upTo: next.upTo };
  };

  const test = async (notice: Notice, signal: AbortSignal): Promise<Refusal | { kind: "heard" }> => {
    const message = testMessage(notice, { sink, nowMs: clock.now(), random, isBatch });
    return (await sent(message, signal, wordsFor())) ?? { kind: "heard" };
  };

  return { hand: (notice, { signal }) => (notice.test ? test(notice, signal) : deliver(signal)) };
}
