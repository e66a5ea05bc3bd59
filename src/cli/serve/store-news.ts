import type { StoreNews } from '../../registry/index.ts';
import type { Log } from './log.ts';

/** Writes how Redis stands to the log: what an SRE is to do is in the words. */
export function storeNews(log: Log): StoreNews {
  return {
    state(state, reason) {
      const fields = { state, ...(reason !== null && { reason }) };
      if (state === 'up') log.info(fields, 'the store is up');
      else if (state === 'lost-data')
        log.error(fields, 'the store lost data: the API answers 503 until registry adopt');
      else if (state === 'newer-format')
        log.error(fields, 'the store is of a newer format: update this control');
      else log.warn(fields, 'the store cannot be used: the API answers 503');
    },
    warning(setting, expected) {
      if (setting === 'entries_differ') {
        log.error(
          { code: setting },
          'what the store holds does not agree with its digest: registry adopt mends it',
        );
        return;
      }
      log.warn({ setting, expected }, 'the store is not set up as it must be');
    },
  };
}
