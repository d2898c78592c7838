-- The tables of Nexus that are published (protocol notes, 1.6), with Supabase's usual grants and row-level security.

create role anon nologin;
create role authenticated nologin;
create role authenticator login noinherit;
grant anon, authenticated to authenticator;

-- The vendor documents app_metadata.organization_id in one place and a top-level claim in another: both are read.
create function request_organization_id() returns uuid language sql stable as $$
  select coalesce(claims -> 'app_metadata' ->> 'organization_id', claims ->> 'organization_id')::uuid
  from (select nullif(current_setting('request.jwt.claims', true), '')::jsonb as claims) as request
$$;

create function touch_updated_at() returns trigger language plpgsql as $$
begin
  new.updated_at := now();
  return new;
end $$;

create function touch_last_updated() returns trigger language plpgsql as $$
begin
  new.last_updated := now();
  return new;
end $$;

create type order_status as enum ('pending', 'confirmed', 'fulfilling', 'shipped', 'delivered', 'cancelled');
create type message_type as enum
  ('text', 'image', 'video', 'document', 'audio', 'template', 'reaction', 'sticker', 'location');
create type call_direction as enum ('inbound', 'outbound', 'internal');
create type call_status as enum ('answered', 'missed', 'busy', 'failed', 'voicemail');

create table customer_journey_stages (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  name text not null
);

create table customers (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  first_name text,
  last_name text,
  email text,
  phone_number text,
  address jsonb,
  shopify_customer_id text,
  customer_label text,
  journey_stage_id uuid references customer_journey_stages,
  lead_source_id uuid,
  assigned_to text,
  customer_score int not null default 0,
  tags text[],
  last_contact timestamptz,
  next_follow_up timestamptz,
  notes text,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp()
);

create table orders (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  customer_id uuid references customers,
  shopify_order_id text,
  order_number text,
  order_status order_status not null default 'pending',
  total_amount numeric(10, 2),
  currency text default 'USD',
  items jsonb,
  airtable_record_id text,
  awb_number text,
  refund_amount numeric default 0,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp()
);

create table items (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  name text,
  description text,
  item_no text,
  sku text,
  barcode text,
  category text,
  unit text,
  cost_price numeric(12, 2),
  selling_price numeric(12, 2),
  min_stock_level int not null default 0,
  is_active boolean not null default true,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp()
);

create table order_items (
  id uuid primary key default gen_random_uuid(),
  order_id uuid not null references orders on delete cascade,
  item_id uuid references items,
  sku text,
  name text,
  barcode text,
  qty int not null,
  unit_price numeric(12, 2),
  created_at timestamptz not null default clock_timestamp()
);

create table warehouses (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  name text not null,
  location text,
  is_active boolean not null default true
);

create table stock_balances (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  item_id uuid not null references items,
  warehouse_id uuid not null references warehouses,
  quantity int not null default 0,
  reserved_quantity int not null default 0,
  available_quantity int generated always as (quantity - reserved_quantity) stored,
  last_updated timestamptz not null default clock_timestamp(),
  unique (item_id, warehouse_id)
);

create table awbs (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  awb_number text unique,
  order_id uuid references orders,
  courier_name text,
  courier_tracking_number text,
  status text not null default 'created'
    check (status in ('created', 'picked_up', 'in_transit', 'delivered', 'returned', 'failed')),
  pickup_date date,
  delivery_date date,
  shipping_cost numeric,
  created_at timestamptz not null default clock_timestamp()
);

create table awb_status_logs (
  id uuid primary key default gen_random_uuid(),
  awb_id uuid not null references awbs on delete cascade,
  status text,
  "timestamp" timestamptz not null default clock_timestamp()
);

create table chats (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  platform text not null check (platform in ('whatsapp', 'facebook', 'instagram')),
  platform_chat_id text,
  contact_name text,
  contact_phone text,
  contact_platform_id text,
  last_message text,
  last_message_time timestamptz,
  unread_count int not null default 0,
  is_archived boolean not null default false,
  assigned_to text
);

create table messages (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  chat_id uuid not null references chats on delete cascade,
  content text,
  message_type message_type not null default 'text',
  direction text not null check (direction in ('inbound', 'outbound')),
  status text check (status in ('sent', 'delivered', 'read', 'failed')),
  platform_message_id text,
  media_url text,
  "timestamp" timestamptz not null default clock_timestamp(),
  created_at timestamptz not null default clock_timestamp()
);

create table call_logs (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  customer_id uuid references customers,
  unique_id text,
  call_date timestamptz not null,
  caller_number text not null,
  called_number text not null,
  extension text,
  direction call_direction,
  status call_status,
  duration_seconds int,
  agent_notes text
);

create trigger customers_touched before update on customers for each row execute function touch_updated_at();
create trigger orders_touched before update on orders for each row execute function touch_updated_at();
create trigger items_touched before update on items for each row execute function touch_updated_at();
create trigger stock_balances_touched before update on stock_balances
  for each row execute function touch_last_updated();

do $$
declare
  name text;
begin
  for name in select tablename from pg_tables where schemaname = 'public' loop
    execute format('alter table %I enable row level security', name);
    if name not in ('order_items', 'awb_status_logs') then
      execute format(
        'create policy organization_only on %I '
        'using (organization_id = request_organization_id()) '
        'with check (organization_id = request_organization_id())', name);
    end if;
  end loop;
end $$;

-- These two have no organization_id: they are visible where their parent is.
create policy organization_only on order_items
  using (exists (select from orders where orders.id = order_id))
  with check (exists (select from orders where orders.id = order_id));
create policy organization_only on awb_status_logs
  using (exists (select from awbs where awbs.id = awb_id))
  with check (exists (select from awbs where awbs.id = awb_id));

-- As on Supabase, anon may ask too: without a token the answer is an empty 200, not an error.
grant usage on schema public to anon, authenticated;
grant all on all tables in schema public to anon, authenticated;
