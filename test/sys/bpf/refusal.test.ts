import { expect, it } from 'vitest';
import { bpfRefusal } from '../../../src/sys/bpf/refusal.ts';

it.each([
  ['ENOSYS', null, null, 'this kernel has no bpf(2)'],
  ['ENOMEM', null, null, 'memory limit'],
  ['EINVAL', '0', true, 'does not take it'],
  ['EPERM', '2', false, 'has not CAP_BPF, and kernel.unprivileged_bpf_disabled is 2'],
  ['EPERM', null, null, 'has not CAP_BPF: give it'],
  ['EPERM', '0', false, 'seccomp'],
  ['EPERM', '2', true, 'lockdown'],
])('%s, with the setting %s and the capability %s, is told as "%s"', (code, setting, capability, words) => {
  expect(bpfRefusal(code, { unprivilegedDisabled: setting, hasCapability: capability })).toContain(words);
});
