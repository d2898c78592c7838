// The vocabulary of the log: every event type with the shape of its data.
// Fields are added, never renamed or removed.

export type Service = "messaging" | "nex" | "nexus";
export const SERVICES: readonly Service[] = ["messaging", "nex", "nexus"];

export const TYPE_PREFIX = "nexusd.";

interface SessionRef {
  sessionId: string;
  alias: string | null;
}

interface StockItem {
  itemId: string;
  sku: string | null;
  name: string | null;
  warehouseId: string | null;
  availableQuantity: number | null;
  threshold: number;
}

export interface PendingOrder {
  orderId: string;
  orderNumber: string | null;
  orderStatus: string | null;
  totalAmount: number | string | null;
  currency: string | null;
  customerId: string | null;
  createdAt: string | null;
  pendingSince: string;
}

/** A conversation with a customer. */
interface Conversation {
  chatId: string;
  platform: string | null;
  contactName: string | null;
  contactPhone: string | null;
  unreadCount: number | null;
  lastMessageTime: string | null;
  assignedTo: string | null;
}

interface Shipment {
  shipmentId: string;
  awbNumber: string | null;
  orderId: string | null;
  courierName: string | null;
  trackingNumber: string | null;
  status: string | null;
}

/** Where an insight came from: sent again on connect, sent as it happened, or fetched for a missed window. */
export type InsightOrigin = "replay" | "live" | "backfill";

/** Work that a write has begun in Nex: a text that it reads, or a list that it makes. */
export interface NexWork {
  writeId: string;
  operation: string;
  artifactId?: string;
  jobId?: string;
}

/** What went wrong, in words for a person, with a stable code for a program. */
export interface Failure {
  code: string;
  message: string;
}

/** A step of a write; the write itself, its preview and its result are at `GET /v1/writes/{id}`. */
export interface WriteStep {
  writeId: string;
  operation: string;
  state: string;
  digest: string;
  agent: string | null;
  /** The agent's reason for the proposal. */
  reason: string | null;
  /** The operator's words: the reason of a rejection, the note of an approval or resolution. */
  note: string | null;
  error: Failure | null;
}

export interface EventData {
  "messaging.message.received": SessionRef & {
    messageId: string;
    cursor: string;
    agentId: string;
    text?: string;
    json?: unknown;
    /** Why its JSON is left out: it is nested more than 500 deep. */
    jsonOmitted?: "nested too deeply";
    verified: boolean;
    expiresAt: string | null;
  };
  "messaging.session.joined": SessionRef & {
    agentId: string;
    expiresAt: string | null;
    rejoined: boolean;
    /** Taken over from another client, which had joined it. */
    imported?: true;
  };
  "messaging.session.renewed": SessionRef & { expiresAt: string | null };
  "messaging.session.expired": SessionRef & Failure;
  "messaging.session.lost": SessionRef & Failure;
  "messaging.session.left": SessionRef;
  /** The key of the session is refused; the session goes on, its messages are unverified. */
  "messaging.session.key_refused": SessionRef & Failure;
  /** The server wants a challenge answered; `challenge` as it gave it. */
  "messaging.session.challenged": SessionRef & { challenge: unknown };
  "messaging.session.restarted": SessionRef & { generation: number; lastCursor: string | null };
  "messaging.member.joined": SessionRef & { agentId: string };
  "messaging.member.left": SessionRef & { agentId: string };
  "nex.insight.received": { insight: unknown; workspace: unknown; origin: InsightOrigin };
  "nex.stream.opened": { afterFailures: number };
  "nex.stream.lost": Failure;
  "nex.stream.fallback": { pollEveryMs: number; failures: number };
  "nex.stream.gap": { from: string; to: string; reason: string };
  "nex.context.progressed": NexWork & { status: string };
  "nex.context.completed": NexWork & { result: unknown };
  "nex.context.failed": NexWork & { error: string };
  "nex.notification.received": { notification: unknown };
  "nex.notification.gap": { from: string; to: string; reason: string };
  "nexus.stock.low": StockItem;
  "nexus.stock.recovered": StockItem & { removed: boolean };
  "nexus.order.pending": PendingOrder;
  "nexus.order.overdue": PendingOrder & { overdueAfterMs: number };
  "nexus.order.advanced": PendingOrder & { removed: boolean };
  "nexus.conversation.unread": Conversation;
  "nexus.conversation.read": Conversation & { removed: boolean };
  "nexus.conversation.message": {
    messageId: string;
    chatId: string | null;
    messageType: string | null;
    text: string | null;
    mediaUrl: string | null;
    sentAt: string | null;
  };
  "nexus.shipment.opened": Shipment;
  "nexus.shipment.moved": Shipment & { previousStatus: string | null };
  "nexus.shipment.closed": Shipment & { previousStatus: string | null; removed: boolean };
  /** `entry` is the row of the history, with whatever columns it has. */
  "nexus.shipment.logged": {
    logId: string;
    shipmentId: string | null;
    status: string | null;
    loggedAt: string | null;
    entry: Record<string, unknown>;
  };
  "write.proposed": WriteStep;
  "write.approved": WriteStep;
  "write.rejected": WriteStep;
  "write.expired": WriteStep;
  "write.cancelled": WriteStep;
  "write.executing": WriteStep;
  "write.succeeded": WriteStep;
  "write.failed": WriteStep;
  "write.unknown": WriteStep;
  "write.resolved": WriteStep;
  "service.degraded": Failure & { service: Service; state: string };
  "service.recovered": { service: Service; state: string };
  "job.failed": Failure & { job: string; retryInMs: number };
  "job.missed": { job: string; missed: number; since: string; catchUp: boolean };
  "job.recovered": { job: string; failures: number };
  "daemon.started": { version: string; pid: number };
  "daemon.stopped": { reason: string };
}

export type EventName = keyof EventData;

/**
 * How the log recognises a repetition: the event is left out when any of `match` was recorded in `scope`
 * before; in either case all of `record` are recorded, in the same transaction.
 */
export interface Dedupe {
  scope: string;
  match: string[];
  record: string[];
}

/** An event before it is in the log. `type` has no prefix here; `time` defaults to the time of the commit. */
export type NewEvent = {
  [T in EventName]: {
    type: T;
    source: string;
    subject?: string;
    time?: string;
    data: EventData[T];
    dedupe?: Dedupe;
  };
}[EventName];

/** An event of the log. `json` is the whole CloudEvent as it is served, integers above 2^53 exact. */
export interface StoredEvent {
  sequence: number;
  type: string;
  json: string;
}
