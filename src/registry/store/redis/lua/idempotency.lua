-- Repeated calls. A call that may be repeated has markKey, markFingerprint and markExpiresAtMs.

-- Returns the first call with this mark, nil, or 'key-reused'.
local function findMark(nowMs)
  local bytes = args.markKey and call('HGET', MARKS, args.markKey)
  if not bytes then return nil end
  local m = unpackMessage(bytes)
  if m[3] <= nowMs then return nil end
  if m[2] ~= args.markFingerprint then return 'key-reused' end
  return { account = m[1], outcome = m[4], id = m[5], createdAt = m[6], expiresAt = m[7] }
end

local function dropMark(key, owner)
  write('HDEL', MARKS, key)
  write('ZREM', MARK_LEASES, key)
  write('ZREM', ROOT .. 'marks:' .. owner, key)
end

local function writeMark(key, owner, message)
  write('HSET', MARKS, key, pack(message))
  write('ZADD', MARK_LEASES, text(message[3]), key)
  write('ZADD', ROOT .. 'marks:' .. owner, text(message[3]), key)
end

local function keepMark(owner, outcome, reg)
  local key = args.markKey
  if not key then return end
  local marks = ROOT .. 'marks:' .. owner
  local before = call('HGET', MARKS, key)
  if before then dropMark(key, unpackMessage(before)[1]) end
  local held = call('ZCARD', marks)
  if before and call('ZSCORE', marks, key) then held = held - 1 end
  local excess = held + 1 - MAX_MARKS
  if excess > 0 then
    for _, old in ipairs(call('ZRANGE', marks, 0, excess - 1)) do dropMark(old, owner) end
  end
  local message = { owner, args.markFingerprint, numberArg('markExpiresAtMs'), outcome }
  if reg then
    message[5], message[6], message[7] = reg.id, reg.createdAt, reg.expiresAt
  end
  writeMark(key, owner, message)
end

local function dropMarksOf(owner)
  local marks = ROOT .. 'marks:' .. owner
  for _, mark in ipairs(call('ZRANGE', marks, 0, -1)) do
    write('HDEL', MARKS, mark)
    write('ZREM', MARK_LEASES, mark)
  end
  write('DEL', marks)
end
