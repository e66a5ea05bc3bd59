import type { StoreEvents } from '../../../registry/index.ts';
import type { Log } from '../log.ts';

/** Logs changes in the state of Redis, with what the operator has to do. */
export function logStoreEvents(log: Log): StoreEvents {
  return {
    state(state, reason) {
      const fields = { state, ...(reason !== null && { reason }) };
      if (state === 'up') log.info(fields, 'the store is up');
      else if (state === 'lost-data')
        log.error(fields, 'the store lost data: the API answers 503 until registry adopt');
      else if (state === 'newer-format')
        log.error(fields, 'the store is of a newer format: update this control');
      else if (reason === 'default-user-stripped')
        log.error(
          fields,
          "the user 'default' of Redis lacks rights, so Redis would lose acknowledged changes at its next start: write " +
            'in its ACL: user default reset off ~* &* +@all',
        );
      else log.warn(fields, 'the store is not usable: the API answers 503');
    },
    warning(setting, expected) {
      if (setting === 'entries_differ') {
        log.error({ code: setting }, "the store's entries differ from its digest: run registry adopt");
        return;
      }
      log.warn({ setting, expected }, 'a setting of the store is not as required');
    },
  };
}
