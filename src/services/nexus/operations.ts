// The operations of Nexus, besides the tools of its MCP server.

import { initiateCall, listCalls } from "./call-operations.ts";
import {
  listChats,
  listMessages,
  sendFacebook,
  sendInstagram,
  sendTemplate,
  sendWhatsapp,
} from "./chat-operations.ts";
import {
  createCustomer,
  getCustomer,
  listCustomers,
  searchCustomers,
  updateTags,
} from "./customer-operations.ts";
import { cancelInvite, createInvite, listInvites, resendInvite } from "./invite-operations.ts";
import { readResource } from "./mcp/operations.ts";
import { createOrder, getOrder, listOrderItems, listOrders, updateOrderStatus } from "./order-operations.ts";
import { selectRows } from "./select-operation.ts";
import { createBosta, getAwb, listAwbLogs, listAwbs } from "./shipment-operations.ts";
import { getStock, listItems, listStock, listWarehouses } from "./stock-operations.ts";

export const nexusOperations = [
  listCustomers,
  getCustomer,
  searchCustomers,
  createCustomer,
  updateTags,
  listOrders,
  getOrder,
  listOrderItems,
  createOrder,
  updateOrderStatus,
  getStock,
  listStock,
  listItems,
  listWarehouses,
  listChats,
  listMessages,
  sendWhatsapp,
  sendTemplate,
  sendFacebook,
  sendInstagram,
  listAwbs,
  getAwb,
  listAwbLogs,
  createBosta,
  listCalls,
  initiateCall,
  listInvites,
  createInvite,
  cancelInvite,
  resendInvite,
  selectRows,
  readResource,
] as const;
