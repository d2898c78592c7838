import { domainToASCII } from "node:url";
import { describe, expect, it } from "vitest";
import { lookAlikes } from "../../../src/core/text/look-alikes.ts";
import fc from "../../support/fc.ts";

const told = (text: string) => lookAlikes(text).map(({ what }) => what);
const points = (text: string) => told(text).flatMap((what) => /U\+[0-9A-F]+/.exec(what) ?? []);

describe("a look-alike", () => {
  it.each([
    ["https://work\u0455hop.example/x", "U+0455"],
    ["pay at w\u043erkshop.example", "U+043E"],
    ["mail to desk@w\u03bfrkshop.example", "U+03BF"],
    ["set \u0430dmin_name", "U+0430"],
    ["\u041f\u0430\u0432e\u043b", "U+0065"],
    ["the workshop's \u{1d4e1}oom", "U+1D4E1"],
    ["https://\uff57orkshop.example", "U+FF57"],
    ["https://workshop.example\u2044a.example", "U+2044"],
    ["https://workshop\u2024example/x", "U+2024"],
    ["https://workshop.example\uff0fx", "U+FF0F"],
    ["workshop\uff0eexample", "U+FF0E"],
    ["https\u02d0//workshop.example", "U+02D0"],
    ["https://\u0456\u0441\u0435.example", "U+0456"],
    ["see \u0456\u0441\u0435.example", "U+0456"],
    ["ord\u200ber", "U+200B"],
    ["order\u202e123", "U+202E"],
    ["order\u2066123", "U+2066"],
    ["or\u00adder", "U+00AD"],
    ["or\u200cder", "U+200C"],
    ["order\ufe0f", "U+FE0F"],
    ["order\u{e0101}", "U+E0101"],
    ["ord\u0301\u0302\u0303er", "U+0301"],
  ])("is reported with its code point: %j", (text, point) => {
    expect(points(text)).toContain(point);
  });

  it("is reported with what it looks like", () => {
    expect(lookAlikes("call w\u043erkshop.example now")).toEqual([
      { word: "w\u043erkshop.example", what: '"\u043e" is U+043E, a Cyrillic letter that looks like "o"' },
    ]);
    expect(told("https://workshop.example\u2215x")).toEqual([
      '"\u2215" is U+2215, which looks like "/" but is not',
    ]);
    expect(told("https://work\u2010shop.example/x")).toEqual([
      '"\u2010" is U+2010, which looks like "-" and is not',
    ]);
    for (const text of [
      "Nord\u2010Süd",
      "NX\u20111005.pdf",
      "https://a.example/x\u2013y",
      "https://スーパー.jp",
    ])
      expect(told(text)).toEqual([]);
    expect(told(`https://${domainToASCII("w\u043erkshop.example")}`)[0]).toMatch(/^"xn--/);
  });

  it.each([
    ["Russian", "Заказ №5 отправлен; сор, рост, ухо. Сайт пример.рф, почта a@пример.example"],
    ["Greek", "Η παραγγελία στάλθηκε στις 10:30, πΩ και 10 kΩ, 5 μm"],
    ["Chinese", "你好。请发货到上海市A座5楼:iPhone手机10部,T恤3件。网址https://a.example/货"],
    ["Japanese", "ご注文のTシャツを発送しました。サイズはLです"],
    ["Korean", "주문하신 USB케이블을 발송했습니다"],
    ["Arabic", "تم شحن الطلب رقم ٥٢٣ إلى PDF والعنوان"],
    ["Persian", "می\u200cخواهم سفارش بدهم"],
    ["Hebrew", "שָׁלוֹם, ההזמנה נשלחה"],
    ["Hindi", "क्\u200dष ऑर्डर भेज दिया गया है"],
    ["Thai", "ส่งiPhoneใหม่แล้ว ที่นี่"],
    ["Vietnamese", "Đơn hàng đã được gửi đi".normalize("NFD")],
    ["Tibetan", "བསྒྲུབས་"],
    ["Turkish", "kıyı.example ışık"],
    ["French", "prix : 10 €, l’œuvre d’été, 1º"],
    ["pictographs", "⚠️ 👩‍👩‍👧 👍🏽 1️⃣ ❤️‍🔥"],
    ["fractions and times", "1⁄2 of it at 10:30, 50 km/h, a.m."],
    ["a foreign word", "the word привет means hello, and λόγος is another"],
  ])("is not reported in ordinary %s", (_, text) => {
    expect(told(text)).toEqual([]);
  });

  it("is not reported in words of one alphabet each, separated by blanks", () => {
    const word = (letters: string) =>
      fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 8 });
    const words = fc.oneof(
      ...[
        "abcdefghijklmnopqrstuvwxyzABCXYZéüñ",
        "абвгдежзиклмнопрстуфхцчшщэюя",
        "αβγδεζηθικλμνξοπρστυφχψω",
      ].map(word),
      ...[
        "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
        "אבגדהוזחטיכלמנסעפצקרשת",
        "你好请发货到上海市的一是不了人我",
        "あいうえおカキクケコ",
      ].map(word),
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 12 }), (text) => {
        expect(told(text.join(" "))).toEqual([]);
      }),
    );
  });

  it("is found wherever one letter of a Latin word was replaced by its twin", () => {
    const twins: Record<string, string> = {
      a: "\u0430",
      c: "\u0441",
      e: "\u0435",
      o: "\u03bf",
      p: "\u0440",
      i: "\u0456",
    };
    fc.assert(
      fc.property(
        fc.constantFrom(..."aceopi"),
        fc.stringMatching(/^[b-z]{1,8}$/),
        fc.boolean(),
        (letter, rest, first) => {
          const twin = twins[letter] ?? "";
          expect(points(`see ${first ? twin + rest : rest + twin} there`).length).toBeGreaterThan(0);
        },
      ),
    );
  });

  it("is found in a large text in limited time, whatever the text contains", () => {
    for (const part of ["w\u043er", "\u043e", "\u200b", "a.", "\u0301", "https://", "xn--"]) {
      const start = performance.now();
      lookAlikes(part.repeat(Math.ceil(260_000 / part.length)));
      expect(performance.now() - start).toBeLessThan(8000);
    }
  });
});
