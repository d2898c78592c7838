/** What `work` throws; a failure where it does not. */
export const thrown = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("must be refused");
};
