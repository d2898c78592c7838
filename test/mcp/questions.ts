// What people ask for, in their own words, and the intended operation. Written before the search: none of them was
// changed to fit it.

export interface Question {
  asked: string;
  meant: string;
}

const question = (asked: string, meant: string): Question => ({ asked, meant });

/** The search has to find these. */
export const QUESTIONS: readonly Question[] = [
  question("mark an order as shipped", "nexus.orders.update_status"),
  question("which products are running out", "nexus.stock.list"),
  question("find a customer by phone number", "nexus.customers.search"),
  question("send a whatsapp to someone who has not written to us yet", "nexus.whatsapp.send_template"),
  question("write a message to the other agents in our session", "messaging.messages.send"),
  question("invite a colleague to the organization by e-mail", "nexus.invites.create"),
  question("open a new chat room for agents", "messaging.sessions.create"),
  question("get out of a session", "messaging.sessions.leave"),
  question("what do we know about this company?", "nex.context.ask"),
  question("remember these notes from the sales call", "nex.context.add_text"),
  question("add a to-do with a due date", "nex.tasks.create"),
  question("tick off a finished task", "nex.tasks.update"),
  question("delete a contact from the CRM", "nex.records.delete"),
  question("put a person on a list", "nex.lists.add_record"),
  question("book a courier pickup for a parcel", "nexus.awbs.create_bosta"),
  question("ring a customer up", "nexus.calls.initiate"),
  question("change the labels of a customer", "nexus.customers.update_tags"),
  question("who is in this session?", "messaging.members.list"),
  question("connect our Google calendar", "nex.integrations.connect"),
  question("alert me when something happens", "nex.notifications.create_rule"),
];

/** Held back while the search was tuned: whether it finds questions that it was not tuned for. */
export const HELD_BACK: readonly Question[] = [
  question("reply to a customer on instagram", "nexus.instagram.send_message"),
  question("start a new order for a customer", "nexus.orders.create"),
  question("list the warehouses we have", "nexus.warehouses.list"),
  question("history of where a shipment has been", "nexus.awb_status_logs.list"),
  question("withdraw an invitation", "nexus.invites.cancel"),
  question("which articles do we sell", "nexus.items.list"),
  question("what was said in a customer's chat", "nexus.messages.list"),
  question("keep a session alive for longer", "messaging.sessions.renew"),
  question("give the session a nickname", "messaging.aliases.upsert"),
  question("let somebody in with a code", "messaging.pairs.create"),
  question("enter a session with a pairing code", "messaging.pairs.claim"),
  question("what did the other agents write", "messaging.messages.list"),
  question("search contacts by name", "nex.records.search"),
  question("write a note on a record", "nex.notes.create"),
  question("remove someone from a list", "nex.lists.remove_record"),
  question("create a company if it is not there yet", "nex.records.upsert"),
  question("latest insights of the last two hours", "nex.insights.list"),
  question("everything that happened with a contact so far", "nex.records.get_timeline"),
  question("add a field to companies", "nex.attributes.create"),
  question("is the messaging server up?", "messaging.servers.get_health"),
];
