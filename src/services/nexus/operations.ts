// What Nexus can be asked to do.

import { createCustomer, searchCustomers, sendWhatsapp, updateTags } from "./customer-operations.ts";
import { getOrder, getStock, listOrders, updateOrderStatus } from "./order-operations.ts";

export const nexusOperations = [
  listOrders,
  getOrder,
  updateOrderStatus,
  getStock,
  searchCustomers,
  createCustomer,
  updateTags,
  sendWhatsapp,
] as const;
