/** What is wrong for the user to mend: a model folder that is damaged, a picture that cannot be read, a bad setting. */
export class LipsegError extends Error {
  override readonly name = "LipsegError";
}
