// fast-check with one seed: a commit is tested with the same inputs wherever it is tested, and cannot fail by chance.
// FUZZ_SEED=<n> tests it with others; where one fails, its message names the seed and the path to it.

import fc from "fast-check";

export const SEED = Number(process.env.FUZZ_SEED ?? 2_671_152_568);

fc.configureGlobal({ seed: SEED });

export default fc;
