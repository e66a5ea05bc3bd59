-- The heartbeat of controls and the election of the leader.

-- Writes the heartbeat, and takes or renews the leader's lease for args.token if it is free or held by it.
function steps.beat()
  call('HSET', META, 'heartbeat', text(time()))
  -- Controls that no longer wait for replicas end the excuse for missing changes.
  if not args.confirms then call('HDEL', META, 'confirmed') end
  local holder = call('GET', LEADER)
  if not holder and args.campaigns == '1' then
    call('SET', LEADER, args.token, 'PX', args.leaseMs)
    holder = args.token
  elseif holder == args.token then
    call('PEXPIRE', LEADER, args.leaseMs)
  end
  return {
    'read',
    {
      'isLeader', holder == args.token and 1 or 0, 'seq', meta.seq, 'snapshotSeq', meta.snapshotSeq,
      'previousSnapshotSeq', tonumber(meta.previousSnapshotSeq or -1),
      'trimmed', meta.trimmed, 'erasures', counter('erasures'), 'erased', counter('erased'),
    },
  }
end

-- Publishes ARGV[3], the last change that replicas are known to have, and replies the last change of all.
function steps.confirm()
  local known = tonumber(ARGV[3])
  call('HSET', META, 'confirmed', text(math.max(known, tonumber(meta.confirmed or 0))))
  return { 'read', { 'seq', meta.seq } }
end

-- Resigns, so that another control may lead at once.
function steps.leave()
  if call('GET', LEADER) == args.token then call('DEL', LEADER) end
  return { 'read', 1 }
end

-- Notes how many erasures have left log, snapshot and append-only file.
function steps.setErased()
  call('HSET', COUNTERS, 'erased', args.count)
  return { 'read', 1 }
end
