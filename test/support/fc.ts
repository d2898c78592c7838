// fast-check with a fixed seed: a commit is tested with the same inputs everywhere, and cannot fail by chance.
// FUZZ_SEED=<n> uses other inputs; on a failure the message names the seed and the path to it.

import fc from "fast-check";

export const SEED = Number(process.env.FUZZ_SEED ?? 2_671_152_568);

fc.configureGlobal({ seed: SEED });

export default fc;
