// Sessions and their messages, from the log.

import { effect, signal } from "@preact/signals";
import type { MessagesView, SessionsView, SessionView } from "../../../contract/api/views.ts";
import { get, wordsOf } from "../lib/api.ts";
import { onConnected, onEvent, onOtherLog, status } from "./connection.ts";
import { route } from "./route.ts";

export interface Message {
  sequence: number;
  time: string;
  agentId: string;
  text: string;
  /** Its JSON payload besides the text; "": none. */
  json: string;
  isVerified: boolean;
}

export interface Conversation {
  id: string;
  /** Oldest first. */
  messages: Message[];
  /** Where in the log the search began; 0: at its beginning. */
  from: number;
  problem: string;
}

const PATH = "/v1/messaging/sessions";
const PAGE = 500;
const MOST = 500;
/** How much of the log is searched first; each "more" multiplies it. */
const WINDOW = 5000;
const WIDER = 10;

export const sessions = signal<readonly SessionView[] | undefined>(undefined);
export const sessionsProblem = signal("");
export const conversation = signal<Conversation | undefined>(undefined);

export function startConversations(): void {
  let isWaiting = false;
  const refresh = async () => {
    const { view, id } = route.value;
    if (view !== "conversations") return;
    await Promise.all([readSessions(), ...(id ? [readMessages(id, false)] : [])]);
  };
  effect(() => {
    void refresh();
  });
  onConnected(refresh);
  onOtherLog(() => {
    conversation.value = undefined;
  });
  onEvent(({ type }) => {
    if (!/\.(?:message|session|member)\./.test(type) || isWaiting) return;
    isWaiting = true;
    setTimeout(() => {
      isWaiting = false;
      void refresh();
    }, 300);
  });
}

async function readSessions(): Promise<void> {
  try {
    sessions.value = (await get<SessionsView>(PATH)).sessions;
    sessionsProblem.value = "";
  } catch (error) {
    sessionsProblem.value = wordsOf(error);
  }
}

/** @param isWider searches further back than before */
export async function readMessages(id: string, isWider: boolean): Promise<void> {
  const latest = status.value?.log.latest ?? 0;
  const known = conversation.value?.id === id ? conversation.value : undefined;
  const back = known && known.from > 0 ? latest - known.from : 0;
  const from = known && !isWider ? known.from : Math.max(0, latest - Math.max(WINDOW, back * WIDER));
  const have = isWider ? [] : (known?.messages ?? []);
  try {
    const messages = await messagesAfter(id, have.at(-1)?.sequence ?? from);
    if (route.value.id !== id) return;
    conversation.value = { id, from, problem: "", messages: [...have, ...messages].slice(-MOST) };
  } catch (error) {
    conversation.value = { id, from, messages: have, problem: wordsOf(error) };
  }
}

async function messagesAfter(id: string, after: number): Promise<Message[]> {
  let found: Message[] = [];
  for (let position = after; ; ) {
    const path = `${PATH}/${encodeURIComponent(id)}/messages?after=${position}&limit=${PAGE}`;
    const page = await get<MessagesView>(path);
    found = [...found, ...page.messages.map(asMessage)].slice(-MOST);
    if (page.messages.length < PAGE || page.next <= position) return found;
    position = page.next;
  }
}

function asMessage({
  sequence,
  time,
  agentId,
  text,
  json,
  verified,
}: MessagesView["messages"][number]): Message {
  return {
    ...{ sequence, time, agentId: String(agentId ?? ""), text: String(text ?? "") },
    json: json === undefined ? "" : JSON.stringify(json),
    isVerified: verified === true,
  };
}
