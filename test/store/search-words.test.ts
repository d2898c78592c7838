// Searches of insights in the languages that people write: a word is found however it is written.

import { describe, expect, test } from "vitest";
import type { NewEvent } from "../../src/contract/new-event.ts";
import type { Store } from "../../src/contract/store.ts";
import { runs } from "../support/adapters.ts";
import fc from "../support/fc.ts";
import { openTestStore } from "../support/store.ts";

const event = (content: string): NewEvent => ({
  type: "nex.insight.received",
  source: "/nex/insights",
  data: { insight: { content }, workspace: null, origin: "live" },
});

const storeOf = async (...texts: string[]): Promise<Store> => {
  const store = await openTestStore();
  await store.commitObservation({ source: "test", events: texts.map(event) });
  return store;
};

/** The places in `texts` of what is found, in their order. */
const places = async (store: Store, texts: readonly string[], text: string) =>
  (await store.searchEvents({ limit: 1000, text }))
    .map(({ data }) => texts.indexOf(JSON.parse(data).insight.content))
    .sort((a, b) => a - b);

const CUSTOMERS = [
  "طلب محمد استرداد المبلغ",
  "طَلَبَ مُحَمَّد اِسْتِرْداد المبلغ",
  "أحمد لديه شكوى",
  "الطلب رقم ٢٠٢٦ متأخر",
  "הלקוח בִּיקֵּשׁ החזר",
  "客户要求退款，订单号NX-1005",
];

test.each<[string, number[]]>([
  ["محمد", [0, 1]],
  ["مُحَمَّد", [0, 1]],
  ["احمد", [2]],
  ["مبلغ", [0, 1]],
  ["2026", [3]],
  ["ביקש", [4]],
  ["退款", [5]],
  ["NX-1005", [5]],
])("what customers wrote in Arabic, Hebrew and Chinese is found by %s", async (query, found) => {
  expect(await places(await storeOf(...CUSTOMERS), CUSTOMERS, query)).toEqual(found);
});

describe.each<[string, string, string[], string[]]>([
  [
    "an Arabic prefix",
    "وبالمبلغ للعميل فكتب",
    ["مبلغ", "المبلغ", "عميل", "العميل", "كتب", "بالمبلغ"],
    ["بلغ"],
  ],
  ["the Arabic article", "مبلغ", ["المبلغ"], ["والمبلغ"]],
  ["a Hebrew prefix", "ובהזמנה שהלקוח", ["הזמנה", "לקוח", "הלקוח"], ["קוחות"]],
  [
    "forms of an Arabic letter",
    "إلى مدرسة مؤسسة قائمة آخر هٰذا",
    ["الي", "مدرسه", "موسسه", "قايمه", "اخر", "هذا"],
    [],
  ],
  ["a stretched Arabic word", "محـــمد", ["محمد"], []],
  ["a Persian keyboard", "كتاب علي", ["کتاب", "علی"], []],
  ["an Urdu keyboard", "لڑکے ہے میں", ["لڑكي", "هي", "مین"], []],
  ["a Persian word of two", "می‌خواهم", ["میخواهم", "خواهم", "می خواهم", "می‌خواهم"], []],
  ["a final Hebrew letter", "מלך שלום", ["מלכ", "שלומ", "מל"], []],
  ["Arabic in its presentation forms", "ﻣﺤﻤﺪ", ["محمد"], []],
  ["digits of Arabic, Persian, Devanagari and Thai", "٤٧ ۴۸ ४९ ๕๐", ["47", "48", "49", "50", "٤٨"], ["46"]],
  ["full width", "ＡＢＣ　１００５", ["abc", "1005"], []],
  ["half width", "ｶﾞｽ", ["ガス", "ガ"], ["カス"]],
  ["a ligature", "ﬁnance eﬀort œuvre", ["finance", "effort", "oeuvre"], []],
  [
    "Latin letters with accents",
    "Łódź Smørrebrød Straße İstanbul ığdır Nguyễn",
    ["lodz", "smorrebrod", "STRASSE", "istanbul", "igdir", "nguyen"],
    [],
  ],
  ["accents typed by themselves", "Zu\u0308rich", ["zürich", "zurich"], []],
  ["Greek with accents and two sigmas", "Οδός", ["ΟΔΟΣ", "οδο", "οδος"], []],
  ["Cyrillic with two dots", "Королёв", ["королев"], []],
  ["Hindi, whose vowels are marks", "हिन्दी में", ["हिन्दी", "हि", "में"], ["हन्दी", "न्दी"]],
  ["Thai without blanks", "ลูกค้าขอคืนเงิน", ["ลูกค้า", "คืนเงิน", "ขอ"], ["ค้าคืน"]],
  ["Japanese without blanks", "返金をリクエストしました", ["返金", "リクエスト", "金", "た"], ["リクした"]],
  ["Korean with particles", "고객이 환불을", ["고객", "환불"], ["불을"]],
  ["Chinese over the end of a line", "客户要\n求退款", ["要求", "退款"], ["退要"]],
  ["a number behind Chinese", "订单号1005已取消", ["1005", "号1005", "订单号1005已", "取消", "号"], ["05"]],
  ["a soft hyphen and marks of direction", "re\u00adfund \u200fמחיר", ["refund", "מחיר"], []],
  ["letters newer than SQLite", "𞤀𞤣𞤤𞤢𞤥", ["𞤀𞤣𞤤"], ["𞤣𞤤"]],
])("%s", (_, text, finds, findsNot) => {
  const texts = [text, "another"];
  test(`${text.replaceAll("\n", "⏎")} is found by ${finds.join(", ")}${findsNot.length > 0 ? `, not by ${findsNot.join(", ")}` : ""}`, async () => {
    const store = await storeOf(...texts);
    for (const query of finds) expect(await places(store, texts, query), query).toEqual([0]);
    for (const query of findsNot) expect(await places(store, texts, query), query).toEqual([]);
  });
});

test("any word of any text finds it", async () => {
  const store = await openTestStore();
  const letters = fc.constantFrom(..."aßİ1٣ 。-客户退ーカ゛ｶﾞขึ้นวوالبم\u064eهשלם\u200c\u200b\ufeff\u0301한नि");
  const word = fc.oneof(
    fc.string({ unit: "binary", minLength: 1, maxLength: 8 }),
    fc.string({ unit: letters, minLength: 1, maxLength: 12 }),
  );
  const separator = fc.constantFrom(" ", "\n", "\u3000", ", ");
  const texts = fc.array(fc.tuple(word, separator), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(texts, async (made) => {
      const text = made.flat().join("");
      const { latest } = await store.commitObservation({ source: "test", events: [event(text)] });
      for (const part of text.split(/\s+/u).filter((part) => /[\p{L}\p{N}]/u.test(part))) {
        const found = await store.searchEvents({ limit: 1, text: part });
        expect(found[0]?.sequence, `${JSON.stringify(part)} of ${JSON.stringify(text)}`).toBe(latest);
      }
    }),
    runs(200),
  );
});
