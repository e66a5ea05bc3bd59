-- Runs the step ARGV[1] if the store is in epoch ARGV[2], at change ARGV[3] or later.

if free[ARGV[1]] then return free[ARGV[1]]() end
if not meta.epoch then return { 'lost', 'store-empty' } end
if tonumber(meta.leastFormat) > tonumber(FORMAT) then return { 'version' } end
if meta.epoch ~= ARGV[2] then return { 'lost', 'other-epoch' } end
if meta.lostSeq then return { 'lost', 'found-by-control' } end
if meta.seq < tonumber(ARGV[3]) then
  -- Tells all controls and edges, before new changes take the numbers of the lost ones.
  if ARGV[1] == 'beat' then call('HSET', META, 'lostSeq', ARGV[3]) end
  return { 'lost', 'older' }
end
local DURING_IMPORT = {
  beginImport = true, importAccount = true, endImport = true, listAccounts = true, deleteAccount = true,
  changesSince = true, putSnapshot = true, trimLog = true, beat = true, confirm = true,
  dropPreviousSnapshot = true, leave = true, state = true, setErased = true,
}
if meta.importing and not DURING_IMPORT[ARGV[1]] then return { 'fault', 'IMPORTING' } end
return steps[ARGV[1]]()
