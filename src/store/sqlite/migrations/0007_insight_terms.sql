-- Words in the one form of src/core/text/words.ts, for a tokenizer that cuts at nothing but their blanks: the one before cut
-- them at vowel signs. insight_words is read, and goes, by src/store/insight-terms.ts.

CREATE VIRTUAL TABLE insight_terms USING fts5 (
  content, target,
  content = '', contentless_delete = 1, tokenize = "ascii", prefix = '2 3'
);
