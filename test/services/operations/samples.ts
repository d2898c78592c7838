// One good input for each operation.

const UUID = "0a000000-0000-4000-8000-000000000505";

export const samples: Record<string, Record<string, unknown>> = {
  "messaging.sessions.get": { session: "shop" },
  "messaging.sessions.create": { ttlSeconds: 600, maxAgents: 2, greeting: "hello" },
  "messaging.sessions.renew": { session: "shop", ttlSeconds: 600 },
  "messaging.messages.list": { session: "shop", after: "17", members: true },
  "messaging.messages.send": { session: "shop", text: "hello", json: { n: 1 } },
  "nex.objects.list": { includeAttributes: true },
  "nex.records.get": { recordId: "48066188026052611" },
  "nex.records.create": { objectSlug: "person", attributes: { name: "Jane", job_title: "CTO" } },
  "nex.records.upsert": {
    objectSlug: "person",
    matchingAttribute: "email",
    attributes: { name: { first_name: "Jane" }, email: "jane@example.com" },
  },
  "nex.records.delete": { recordId: "48066188026052611" },
  "nex.notes.create": { title: "Call", content: "long", recordId: "48066188026052611" },
  "nex.context.ask": { query: "who?" },
  "nex.insights.list": { last: "1h30m", limit: 5 },
  "nexus.orders.list": {
    orderStatus: "pending",
    orderNumber: "NX-1",
    customerId: UUID,
    createdFrom: "2026-01-01T00:00:00Z",
    createdTo: "2026-02-01T00:00:00+02:00",
    limit: 5,
    offset: 10,
  },
  "nexus.orders.get": { orderId: UUID },
  "nexus.orders.update_status": { orderId: UUID, orderStatus: "confirmed" },
  "nexus.stock.get": { sku: "TSHIRT-M-BLK" },
  "nexus.customers.search": { phoneNumber: "+201005550101", email: "a@example.com" },
  "nexus.customers.create": {
    firstName: "Mona",
    lastName: "Adel",
    phoneNumber: "+201005550101",
    email: "a@example.com",
    address: { line1: "4 Corniche", line2: "2nd floor", city: "Alexandria", country: "EG" },
    tags: ["vip"],
    notes: "likes blue",
  },
  "nexus.customers.update_tags": { customerId: UUID, tags: ["vip"] },
  "nexus.whatsapp.send_message": { chatId: UUID, message: "hello" },
};
