// The operations on items, warehouses and stock.

import { z } from "zod";
import { line } from "../input.ts";
import { defineOperation } from "./facts.ts";
import { createKeyset } from "./keyset.ts";
import { BY_ID, pageAs, paging, pagingOfFew, readPage, where } from "./rows.ts";

const sku = line.describe("The SKU of the item, exactly as Nexus has it");

export const getStock = defineOperation({
  name: "nexus.stock.get",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "Show the stock of an item",
  description:
    "The stock of the item with a SKU, one balance for each warehouse, page by page: `next` is null at the end. The list is empty if no item has it.",
  input: z.lazy(() => z.strictObject({ sku, ...pagingOfFew(BY_ID, "balances") })),
  request: ({ sku, ...page }, facts) =>
    readPage(
      facts,
      "stock_balances",
      // All columns of items: some databases have no items.name, and naming it would fail the whole query.
      { select: "*,items!inner(*)", "items.sku": where("eq", sku) },
      BY_ID,
      page,
    ),
  output: pageAs("balances", "stock_balances", BY_ID),
});

/** Lowest quantity first. */
const SCARCEST_FIRST = createKeyset([{ column: "available_quantity" }, { column: "id" }]);

export const listStock = defineOperation({
  name: "nexus.stock.list",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "List stock balances",
  description:
    "Stock balances with their items, lowest quantity first: of one item in all warehouses, of one warehouse, or all below a quantity.",
  input: z.lazy(() =>
    z.strictObject({
      itemId: z.guid().optional().describe("Only balances of this item, a UUID"),
      warehouseId: z.guid().optional().describe("Only balances in this warehouse, a UUID"),
      below: z.int().optional().describe("Only balances with less than this available"),
      ...paging(SCARCEST_FIRST, "balances"),
    }),
  ),
  request: ({ itemId, warehouseId, below, ...page }, facts) =>
    readPage(
      facts,
      "stock_balances",
      {
        select: "*,items(*)",
        item_id: where("eq", itemId),
        warehouse_id: where("eq", warehouseId),
        available_quantity: where("lt", below),
      },
      SCARCEST_FIRST,
      page,
    ),
  output: pageAs("balances", "stock_balances", SCARCEST_FIRST),
});

export const listItems = defineOperation({
  name: "nexus.items.list",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "List items",
  description: "The items for sale: one by its id, all, or those with a SKU, a barcode or a category.",
  input: z.lazy(() =>
    z.strictObject({
      sku: line.optional().describe("Only the items with this SKU, exactly as Nexus has it"),
      barcode: line.optional().describe("Only the items with this barcode"),
      category: line.optional().describe("Only the items of this category"),
      isActive: z.boolean().optional().describe("true: only active items; false: only inactive ones"),
      ...paging(BY_ID, "items"),
    }),
  ),
  request: ({ sku, barcode, category, isActive, ...page }, facts) =>
    readPage(
      facts,
      "items",
      {
        sku: where("eq", sku),
        barcode: where("eq", barcode),
        category: where("eq", category),
        is_active: where("is", isActive),
      },
      BY_ID,
      page,
    ),
  output: pageAs("items", "items", BY_ID),
});

export const listWarehouses = defineOperation({
  name: "nexus.warehouses.list",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "List warehouses",
  description: "The warehouses where stock is kept.",
  input: z.lazy(() => z.strictObject(paging(BY_ID, "warehouses"))),
  request: (page, facts) => readPage(facts, "warehouses", {}, BY_ID, page),
  output: pageAs("warehouses", "warehouses", BY_ID),
});
