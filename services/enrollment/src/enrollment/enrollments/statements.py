"""The enroll POST as one constant statement: facts, decision, seat, row, history, outbox and reply.

All parts see one snapshot. A row that another request inserts meanwhile is invisible to the facts yet met by the
insert: it is left alone, `refuse_raced()` undoes the whole statement, and the caller repeats it. A row that was there
is locked with the facts. `on conflict do nothing`, because a statement that holds a seat must not wait for the lock of
an enrollment: whoever holds that may be waiting for the seat.
"""

from typing import Final

from common.messaging import outbox
from enrollment.events import EnrollmentsChanged

# the course half is prerendered; only when one of its modes has expired since is it rendered again
DETAILS: Final = "case when c.details_until > now() then c.details else course_details(c, false) end"

# $1 username $2 e-mail (when there is no username) $3 course $4 mode $5 is_active $6 privileged $7 api key $8 forced
# $9 refuse after the embargo check $10-12 attributes $13 attributes were sent $14 credit provider is among them
# $15 cohort $16 e-mail opt-in $17 caller's user id $18 country of the client $19 actor $20 enterprise
# $21 event id $22 event headers
ENROLL: Final = f"""
with f as materialized (
  select a.user_id, a.username, upper(coalesce($18::text, a.country)) as country,
    c.n, c.key, c.org, c.capacity, c.invitation_only, {DETAILS} as details,
    case when m.audit_live or not m.honor_live then 'audit' else 'honor' end as default_mode,
    case when $4::text is null then m.audit_live or m.honor_live or m.live = 0
      else m.asked_live or (m.live = 0 and $4 = 'audit') end as offered,
    case when $4 is null then m.audit_any or m.honor_live or m.every = 0
      else m.asked_any or (m.every = 0 and $4 = 'audit') end as offered_expired,
    e.user_id is not null as known, e.mode as old_mode, e.is_active as old_active, e.created,
    coalesce(e.version, 0) as ver,
    s.taken, t.user_id is not null as team, w.id as allowed_id,
    case when w.user_id is not null and w.user_id <> a.user_id then false
      else w.id is not null or t.user_id is not null or a.is_staff or (not c.invitation_only
        and (c.enrollment_start is null or c.enrollment_start <= now())
        and (c.enrollment_end is null or c.enrollment_end > now())) end as open,
    x.blocked, x.allowed
  from (select 1) as one
  left join lateral (
    select * from account where username = $1::text
    union all select * from account where $1 is null and lower(email) = lower($2::text)
    limit 1) a on true
  left join course c on c.key = $3::text and not c.deleted
  left join lateral (
    select count(*) as every, count(*) filter (where o.live) as live,
      coalesce(bool_or(o.slug = 'audit'), false) as audit_any,
      coalesce(bool_or(o.slug = 'audit' and o.live), false) as audit_live,
      coalesce(bool_or(o.slug = 'honor' and o.live), false) as honor_live,
      coalesce(bool_or(o.slug = $4), false) as asked_any,
      coalesce(bool_or(o.slug = $4 and o.live), false) as asked_live
    from (select slug, expires_at is null or expires_at > now() as live from course_mode where course_n = c.n) o
  ) m on true
  left join lateral (
    select * from enrollment where user_id = a.user_id and course_n = c.n for update) e on true
  left join seat s on s.course_n = c.n
  left join team_member t on t.course_key = c.key and t.user_id = a.user_id and not t.removed
  left join enrollment_allowed w on lower(w.email) = lower(a.email) and w.course_key = c.key and not w.removed
  left join embargo x on x.course_n = c.n
),
g as (
  select f.*,
    f.known and $4 is not null and $4 <> f.old_mode as mode_changes,
    f.known and $5::boolean is not null and $5 <> f.old_active as active_changes
  from f
),
r as (
  select g.*, $6::boolean and (g.mode_changes or g.active_changes) as updating,
    case
      when g.user_id is null then 'user'
      when g.country = any(g.blocked) then 'embargo'
      when cardinality(g.allowed) > 0 and not g.country = any(g.allowed) then 'embargo'
      when $9::boolean then 'late'
      when g.n is null then 'course'
      when $6 and (g.mode_changes or g.active_changes) then case
        when g.mode_changes and g.active_changes and not $5 then 'mismatch'
        when $13::boolean and $4 = 'credit' and not $14::boolean then 'attributes'
        when $4 is not null and not case when $7::boolean or $5 is false then g.offered_expired else g.offered end
          then 'mode' end
      when not case when $8::boolean or $5 is false then g.offered_expired else g.offered end then 'mode'
      when not $8 and not g.open then case when g.invitation_only then 'invitation' else 'closed' end
      when g.taken >= g.capacity and not g.team then 'full'
    end as refusal
  from g
),
d as materialized (
  select r.*,
    r.refusal is null and (not r.known or v.new_mode <> r.old_mode or v.new_active <> r.old_active) as changes,
    v.new_mode, v.new_active, r.capacity is not null and not r.team as counted
  from r, lateral (
    select case when r.updating then coalesce($4, r.old_mode) when r.old_active then r.old_mode
        else coalesce($4, r.default_mode) end as new_mode,
      case when r.updating then coalesce($5, r.old_active) when r.old_active then true
        else coalesce($5, true) end as new_active) v
),
s as (
  update seat set taken = seat.taken + 1 from d
  where seat.course_n = d.n and d.changes and d.counted and d.new_active and d.old_active is not true
    and (d.updating or seat.taken < d.capacity)
  returning seat.course_n
),
sr as (
  update seat set taken = greatest(seat.taken - 1, 0) from d
  where seat.course_n = d.n and d.changes and d.counted and d.old_active and not d.new_active
),
w as materialized (
  select d.*, case when d.refusal is not null then d.refusal
    when d.changes and d.counted and d.new_active and d.old_active is not true and not d.updating
      and not exists (select from s) then 'full' end as why
  from d
),
ui as (
  insert into enrollment as e (user_id, course_n, mode, is_active)
  select w.user_id, w.n, w.new_mode, w.new_active from w where w.why is null and w.changes and not w.known
  on conflict (user_id, course_n) do nothing
  returning e.mode, e.is_active, e.created, e.version
),
uu as (
  update enrollment e set mode = w.new_mode, is_active = w.new_active, version = w.ver + 1 from w
  where w.why is null and w.changes and w.known and e.user_id = w.user_id and e.course_n = w.n
  returning e.mode, e.is_active, e.created, e.version
),
u as (select * from ui union all select * from uu),
h as (
  insert into enrollment_history (user_id, course_n, version, source, actor, requested_mode, requested_active,
    old_mode, old_active, mode, is_active, forced, enterprise_uuid)
  select w.user_id, w.n, u.version, 'http', $19::text, $4, $5, w.old_mode, w.old_active, u.mode, u.is_active, $8,
    $20::text
  from w, u
),
at as (
  insert into enrollment_attribute (user_id, course_n, namespace, name, value)
  select w.user_id, w.n, i.namespace, i.name, i.value
  from w, unnest($10::text[], $11::text[], $12::text[]) as i(namespace, name, value) where w.why is null
  on conflict (user_id, course_n, namespace, name) do update set value = excluded.value
),
k as (
  select cohort.id from cohort, w where w.why is null and cohort.course_n = w.n and cohort.name = $15::text
),
km as (
  insert into cohort_membership as m (user_id, course_n, cohort_id) select w.user_id, w.n, k.id from w, k
  on conflict (user_id, course_n) do update set cohort_id = excluded.cohort_id where m.cohort_id <> excluded.cohort_id
),
al as (
  update enrollment_allowed set user_id = w.user_id from w, u
  where enrollment_allowed.id = w.allowed_id and enrollment_allowed.user_id is null and u.is_active
),
oi as (
  insert into email_opt_in as p (user_id, org, value) select $17::bigint, w.org, $16::boolean from w
  where w.why is null and $16 is not null and $17 is not null and ($15 is null or exists (select from k))
  on conflict (user_id, org) do update set value = excluded.value, changed_at = now() where p.value <> excluded.value
),
o as (
  {outbox.INSERT}
  select $21::uuid, '{EnrollmentsChanged.exchange}', '{EnrollmentsChanged.type}', '{EnrollmentsChanged.type}',
    'enrollment:' || w.user_id || ':' || w.n, u.version,
    jsonb_build_object('changes', jsonb_build_array(jsonb_build_object('user_id', w.user_id, 'username', w.username,
      'course_id', w.key, 'mode', u.mode, 'is_active', u.is_active, 'version', u.version, 'changed_at', iso(now())))),
    $22::jsonb, null, null, 'changes', 1
  from w, u
)
select w.why, w.user_id, w.username, w.old_mode, w.old_active,
  coalesce(u.mode, w.old_mode) as mode, coalesce(u.is_active, w.old_active) as is_active,
  w.why is null and $15 is not null and not exists (select from k) as cohort_missing,
  case when w.why is null then '{{"created":"' || iso(coalesce(u.created, w.created)) || '","mode":'
      || to_json(coalesce(u.mode, w.old_mode)) || ',"is_active":' || coalesce(u.is_active, w.old_active)::text
      || ',"course_details":' || w.details || ',"user":' || to_json(w.username) || '}}'
    when w.why = 'mode' then w.details end as body,
  case when w.why is null and w.changes and u.version is null then refuse_raced() end as raced
from w left join u on true
"""
