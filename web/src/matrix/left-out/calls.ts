/** Stands in for the SDK's audio and video calls, which this client does not offer. */

class Nothing {
  start(): void {
    // there is nothing to start
  }

  stop(): void {
    // there is nothing to stop
  }
}

export const supportsMatrixCall = (): boolean => false;
export const createNewMatrixCall = (): null => null;
export const createRtcTransportsCachedValue = (): Nothing => new Nothing();
export {
  Nothing as CallEventHandler,
  Nothing as GroupCall,
  Nothing as GroupCallEventHandler,
  Nothing as MatrixRTCSessionManager,
  Nothing as MediaHandler,
};
