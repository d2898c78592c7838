// Why a request that waited for its connection was not sent.

/** Its time was over before its first byte. */
export class TooLate extends Error {
  override readonly name = "TooLate";

  constructor() {
    super("the right to send it had ended");
  }
}
