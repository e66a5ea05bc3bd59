-- The log of changes and the snapshot.

-- Entries that are rewritten at most, so that trimmed ones leave their node of the stream too.
local REBUILD_LIMIT = 1000

function steps.changesSince()
  local from = numberArg('seq')
  if from < meta.trimmed or from > meta.seq then return { 'read', false } end
  local changes = {}
  for _, item in ipairs(call('XRANGE', LOG, text(from + 1) .. '-0', '+', 'COUNT', args.limit)) do
    changes[#changes + 1] = item[2][2]
  end
  return {
    'read',
    { 'changes', changes, 'seq', meta.seq, 'digest', text(meta.digestA) .. '.' .. text(meta.digestB) },
  }
end

function steps.state()
  return { 'read', { 'epoch', meta.epoch, 'seq', meta.seq } }
end

function steps.trimLog()
  local through = math.min(numberArg('throughSeq'), meta.seq, meta.snapshotSeq)
  if through <= meta.trimmed then return { 'read', 0 } end
  call('HSET', META, 'trimmed', text(through))
  call('XTRIM', LOG, 'MINID', '=', text(through + 1) .. '-0')
  local left = call('XLEN', LOG)
  if left <= REBUILD_LIMIT then
    local items = left > 0 and call('XRANGE', LOG, '-', '+') or {}
    call('DEL', LOG)
    for _, item in ipairs(items) do call('XADD', LOG, item[1], unpack(item[2])) end
  end
  return { 'read', 1 }
end

-- Keeps a snapshot, and the one before for slow readers, unless the store has a later one.
function steps.putSnapshot()
  local seq = numberArg('seq')
  if seq < meta.snapshotSeq or seq < meta.trimmed or seq > meta.seq then return { 'read', 0 } end
  if seq > meta.snapshotSeq and call('EXISTS', SNAPSHOT) == 1 then
    call('RENAME', SNAPSHOT, PREVIOUS_SNAPSHOT)
    call('HSET', META, 'previousSnapshotSeq', text(meta.snapshotSeq))
  end
  call('HSET', META, 'snapshotSeq', text(seq))
  call('SET', SNAPSHOT, args.snapshot)
  return { 'read', 1 }
end

function steps.dropPreviousSnapshot()
  call('HDEL', META, 'previousSnapshotSeq')
  call('UNLINK', PREVIOUS_SNAPSHOT)
  return { 'read', 1 }
end
