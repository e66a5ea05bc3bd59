import type { DatabaseSync } from 'node:sqlite';
import type { Change } from '../../../feed/index.ts';
import type { StoreSteps } from '../store.ts';
import { AccountSteps } from './account-steps.ts';
import { CredentialSteps } from './credential-steps.ts';
import { HostnameSteps } from './hostname-steps.ts';
import { PrivateNameSteps } from './private-name-steps.ts';
import { RegistrationSteps } from './registration-steps.ts';
import { Tables } from './tables.ts';

/** All steps of a store on SQLite. The caller opens a transaction around a step, and calls `reset` after a rollback. */
export class SqliteSteps {
  readonly steps: StoreSteps;
  private readonly tables: Tables;
  private readonly registrations: RegistrationSteps;

  /** @param logLimit changes that the log keeps at most */
  constructor(database: DatabaseSync, logLimit: number) {
    const tables = new Tables(database, logLimit);
    const credentials = new CredentialSteps(database, tables.accounts, tables.idempotency);
    const registrations = new RegistrationSteps(tables);
    const hostnames = new HostnameSteps(tables, registrations);
    const privateNames = new PrivateNameSteps(tables, registrations);
    const accounts = new AccountSteps({ tables, credentials, registrations, hostnames, privateNames });
    this.tables = tables;
    this.registrations = registrations;
    this.steps = {
      createAccount: (step) => accounts.create(step),
      getAccount: (id) => accounts.get(id),
      listAccounts: (step) => accounts.list(step),
      findAccountBySecret: (secretHash) => accounts.findBySecret(secretHash),
      updateAccount: (step) => accounts.update(step),
      setSecret: (step) => accounts.setSecret(step),
      deleteAccount: (id) => accounts.delete(id),
      readAccount: (id) => accounts.read(id),
      register: (step) => registrations.register(step),
      removeRegistration: (step) => registrations.remove(step),
      relabelRegistration: (step) => registrations.relabel(step),
      noticeLapses: (step) => accounts.noticeLapses(step),
      lapsingAccounts: (step) => accounts.lapsing(step),
      eraseLapsed: (step) => accounts.eraseLapsed(step),
      addCredential: (step) => credentials.add(step),
      findCredential: (step) => credentials.find(step),
      renewCredential: (step) => credentials.renew(step),
      redeemCredential: (step) => credentials.redeem(step),
      removeCredential: (step) => credentials.remove(step),
      addUpdateToken: (step) => credentials.addToken(step),
      removeUpdateToken: (step) => credentials.removeToken(step),
      findAccountByUpdateToken: (hash) => credentials.findByToken(hash),
      addHostname: (step) => hostnames.add(step),
      removeHostname: (step) => hostnames.remove(step),
      dueHostnames: (step) => hostnames.due(step),
      settleHostname: (step) => hostnames.settle(step),
      addPrivateName: (step) => privateNames.add(step),
      changePrivateName: (step) => privateNames.change(step),
      removePrivateName: (step) => privateNames.remove(step),
      claimPrivateName: (step) => privateNames.claim(step),
      putServiceDay: (step) => tables.serviceDays.put(step),
      readServiceDays: (step) => tables.serviceDays.read(step),
      expireLeases: (step) => {
        tables.idempotency.forget(step.nowMs);
        credentials.forgetExpired(step.nowMs);
        return registrations.expire(step);
      },
      trimLog: (throughSeq) => {
        if (tables.log.trim(throughSeq)) tables.noteErasure();
      },
      changesSince: (step) => tables.log.since(step.seq, step.limit),
      state: () => {
        const { epoch, seq } = tables.log.state();
        return { epoch, seq };
      },
    };
  }

  /** Returns the changes logged since the last call, and whether anything was erased. */
  take(): { changes: Change[]; erased: boolean } {
    return this.tables.take();
  }

  reset(): void {
    this.tables.reset();
    this.registrations.reset();
  }
}
