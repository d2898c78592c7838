/** The error that `work` throws; fails if it throws none. */
export const thrown = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("must be refused");
};
