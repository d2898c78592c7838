-- A small shop that an agent may see (0a…), and another organization's rows (0b…) that it must never see.

insert into warehouses (id, organization_id, name, location) values
  ('0a000000-0000-4000-8000-000000000201', '0a000000-0000-4000-8000-000000000001', 'Cairo Main', 'Nasr City, Cairo'),
  ('0a000000-0000-4000-8000-000000000202', '0a000000-0000-4000-8000-000000000001', 'Alexandria', 'Smouha, Alexandria'),
  ('0b000000-0000-4000-8000-000000000201', '0b000000-0000-4000-8000-000000000001', 'Elsewhere', 'Rotterdam');

insert into items (id, organization_id, sku, name, category, unit, cost_price, selling_price, min_stock_level) values
  ('0a000000-0000-4000-8000-000000000101', '0a000000-0000-4000-8000-000000000001',
   'TSHIRT-M-BLK', 'T-shirt, black, M', 'T-shirts', 'piece', 140, 320, 10),
  ('0a000000-0000-4000-8000-000000000102', '0a000000-0000-4000-8000-000000000001',
   'TSHIRT-L-BLK', 'T-shirt, black, L', 'T-shirts', 'piece', 140, 320, 10),
  ('0a000000-0000-4000-8000-000000000103', '0a000000-0000-4000-8000-000000000001',
   'TSHIRT-M-WHT', 'T-shirt, white, M', 'T-shirts', 'piece', 140, 320, 10),
  ('0a000000-0000-4000-8000-000000000104', '0a000000-0000-4000-8000-000000000001',
   'TSHIRT-L-WHT', 'T-shirt, white, L', 'T-shirts', 'piece', 140, 320, 10),
  ('0a000000-0000-4000-8000-000000000105', '0a000000-0000-4000-8000-000000000001',
   'HOODIE-M-GRY', 'Hoodie, grey, M', 'Hoodies', 'piece', 390, 850, 10),
  ('0a000000-0000-4000-8000-000000000106', '0a000000-0000-4000-8000-000000000001',
   'HOODIE-L-GRY', 'Hoodie, grey, L', 'Hoodies', 'piece', 390, 850, 10),
  ('0a000000-0000-4000-8000-000000000107', '0a000000-0000-4000-8000-000000000001',
   'JEANS-32-BLU', 'Jeans, blue, 32', 'Trousers', 'piece', 420, 990, 10),
  ('0a000000-0000-4000-8000-000000000108', '0a000000-0000-4000-8000-000000000001',
   'JEANS-34-BLU', 'Jeans, blue, 34', 'Trousers', 'piece', 420, 990, 10),
  ('0a000000-0000-4000-8000-000000000109', '0a000000-0000-4000-8000-000000000001',
   'CAP-ONE-NVY', 'Cap, navy', 'Accessories', 'piece', 70, 190, 10),
  ('0a000000-0000-4000-8000-000000000110', '0a000000-0000-4000-8000-000000000001',
   'SOCKS-3PK', 'Socks, three pairs', 'Accessories', 'pack', 45, 120, 10),
  ('0a000000-0000-4000-8000-000000000111', '0a000000-0000-4000-8000-000000000001',
   'TOTE-CANVAS', 'Canvas tote bag', 'Accessories', 'piece', 60, 150, 10),
  ('0a000000-0000-4000-8000-000000000112', '0a000000-0000-4000-8000-000000000001',
   'MUG-LOGO', 'Mug with logo', 'Gifts', 'piece', 55, 140, 10),
  ('0b000000-0000-4000-8000-000000000101', '0b000000-0000-4000-8000-000000000001',
   'TSHIRT-M-BLK', 'Not yours', 'T-shirts', 'piece', 1, 2, 10);

-- Three balances stand just above the usual threshold of 10; everything else is well stocked.
insert into stock_balances (id, organization_id, item_id, warehouse_id, quantity, reserved_quantity)
select
  ('0a000000-0000-4000-8000-000000003' || warehouse || right(item.id::text, 2))::uuid,
  item.organization_id,
  item.id,
  ('0a000000-0000-4000-8000-00000000020' || warehouse)::uuid,
  case
    when item.sku = 'TSHIRT-M-BLK' and warehouse = 1 then 15
    when item.sku = 'HOODIE-L-GRY' and warehouse = 1 then 14
    when item.sku = 'CAP-ONE-NVY' and warehouse = 2 then 16
    else 30 + right(item.id::text, 2)::int * 7 % 40 + 10 * warehouse
  end,
  2
from items as item, generate_series(1, 2) as warehouse
where item.organization_id = '0a000000-0000-4000-8000-000000000001';

insert into stock_balances (organization_id, item_id, warehouse_id, quantity) values
  ('0b000000-0000-4000-8000-000000000001', '0b000000-0000-4000-8000-000000000101',
   '0b000000-0000-4000-8000-000000000201', 1);

insert into customer_journey_stages (id, organization_id, name) values
  ('0a000000-0000-4000-8000-000000000901', '0a000000-0000-4000-8000-000000000001', 'Lead'),
  ('0a000000-0000-4000-8000-000000000902', '0a000000-0000-4000-8000-000000000001', 'Customer');

insert into customers
  (id, organization_id, first_name, last_name, email, phone_number, address, journey_stage_id, tags, created_at) values
  ('0a000000-0000-4000-8000-000000000401', '0a000000-0000-4000-8000-000000000001', 'Ahmed', 'Hassan',
   'ahmed.hassan@example.com', '+201005550101', '{"line1": "12 Tahrir St", "city": "Cairo", "country": "EG"}',
   '0a000000-0000-4000-8000-000000000902', '{vip,repeat-buyer}', now() - interval '90 days'),
  ('0a000000-0000-4000-8000-000000000402', '0a000000-0000-4000-8000-000000000001', 'Mona', 'Adel',
   'mona.adel@example.com', '+201005550102', '{"line1": "4 Corniche", "city": "Alexandria", "country": "EG"}',
   '0a000000-0000-4000-8000-000000000902', '{repeat-buyer}', now() - interval '61 days'),
  ('0a000000-0000-4000-8000-000000000403', '0a000000-0000-4000-8000-000000000001', 'Youssef', 'Nabil',
   'youssef.nabil@example.com', '+201005550103', null, '0a000000-0000-4000-8000-000000000902', '{}',
   now() - interval '30 days'),
  ('0a000000-0000-4000-8000-000000000404', '0a000000-0000-4000-8000-000000000001', 'Salma', 'O''Connor (work), "Sally"',
   'salma@example.com', '+201005550104', null, '0a000000-0000-4000-8000-000000000901', null,
   now() - interval '12 days'),
  ('0a000000-0000-4000-8000-000000000405', '0a000000-0000-4000-8000-000000000001', 'Karim', null,
   null, '+201005550105', null, null, null, now() - interval '2 days'),
  ('0b000000-0000-4000-8000-000000000401', '0b000000-0000-4000-8000-000000000001', 'Nobody', 'Here',
   'nobody@example.net', '+31205550199', null, null, null, now() - interval '9 days');

insert into orders
  (id, organization_id, customer_id, order_number, order_status, total_amount, currency, created_at) values
  ('0a000000-0000-4000-8000-000000000501', '0a000000-0000-4000-8000-000000000001',
   '0a000000-0000-4000-8000-000000000401', 'NX-1001', 'delivered', 640, 'EGP', now() - interval '20 days'),
  ('0a000000-0000-4000-8000-000000000502', '0a000000-0000-4000-8000-000000000001',
   '0a000000-0000-4000-8000-000000000402', 'NX-1002', 'shipped', 850, 'EGP', now() - interval '2 days'),
  ('0a000000-0000-4000-8000-000000000503', '0a000000-0000-4000-8000-000000000001',
   '0a000000-0000-4000-8000-000000000403', 'NX-1003', 'confirmed', 990, 'EGP', now() - interval '5 hours'),
  ('0a000000-0000-4000-8000-000000000504', '0a000000-0000-4000-8000-000000000001',
   '0a000000-0000-4000-8000-000000000401', 'NX-1004', 'confirmed', 510, 'EGP', now() - interval '3 hours'),
  ('0a000000-0000-4000-8000-000000000505', '0a000000-0000-4000-8000-000000000001',
   '0a000000-0000-4000-8000-000000000404', 'NX-1005', 'pending', 320, 'EGP', now() - interval '50 minutes'),
  ('0a000000-0000-4000-8000-000000000506', '0a000000-0000-4000-8000-000000000001',
   '0a000000-0000-4000-8000-000000000405', 'NX-1006', 'pending', 450, 'EGP', now() - interval '4 minutes'),
  ('0b000000-0000-4000-8000-000000000501', '0b000000-0000-4000-8000-000000000001',
   '0b000000-0000-4000-8000-000000000401', 'ZZ-1', 'pending', 1, 'EUR', now() - interval '1 hour');

insert into order_items (order_id, item_id, sku, name, qty, unit_price)
select o.id::uuid, i.id, i.sku, i.name, o.qty, i.selling_price
from (values
  ('0a000000-0000-4000-8000-000000000501', 'TSHIRT-M-BLK', 2),
  ('0a000000-0000-4000-8000-000000000502', 'HOODIE-L-GRY', 1),
  ('0a000000-0000-4000-8000-000000000503', 'JEANS-32-BLU', 1),
  ('0a000000-0000-4000-8000-000000000504', 'TSHIRT-L-WHT', 1),
  ('0a000000-0000-4000-8000-000000000504', 'CAP-ONE-NVY', 1),
  ('0a000000-0000-4000-8000-000000000505', 'TSHIRT-L-BLK', 1),
  ('0a000000-0000-4000-8000-000000000506', 'TOTE-CANVAS', 3)
) as o (id, sku, qty)
join items as i on i.sku = o.sku and i.organization_id = '0a000000-0000-4000-8000-000000000001';

insert into order_items (order_id, sku, name, qty, unit_price) values
  ('0b000000-0000-4000-8000-000000000501', 'TSHIRT-M-BLK', 'Not yours', 1, 1);

insert into awbs (id, organization_id, awb_number, order_id, courier_name, status, pickup_date, shipping_cost) values
  ('0a000000-0000-4000-8000-000000000601', '0a000000-0000-4000-8000-000000000001', 'AWB-70001',
   '0a000000-0000-4000-8000-000000000502', 'Bosta', 'in_transit', current_date - 1, 60),
  ('0b000000-0000-4000-8000-000000000601', '0b000000-0000-4000-8000-000000000001', 'AWB-90001',
   '0b000000-0000-4000-8000-000000000501', 'Other', 'created', current_date, 5);

insert into awb_status_logs (awb_id, status, "timestamp") values
  ('0a000000-0000-4000-8000-000000000601', 'created', now() - interval '40 hours'),
  ('0a000000-0000-4000-8000-000000000601', 'picked_up', now() - interval '28 hours'),
  ('0a000000-0000-4000-8000-000000000601', 'in_transit', now() - interval '20 hours'),
  ('0b000000-0000-4000-8000-000000000601', 'created', now());

insert into chats (id, organization_id, platform, contact_name, contact_phone, last_message, last_message_time, unread_count)
values
  ('0a000000-0000-4000-8000-000000000701', '0a000000-0000-4000-8000-000000000001', 'whatsapp', 'Ahmed Hassan',
   '+201005550101', 'Is the black one in stock?', now() - interval '15 minutes', 1),
  ('0a000000-0000-4000-8000-000000000702', '0a000000-0000-4000-8000-000000000001', 'instagram', 'Mona Adel',
   null, null, null, 0),
  ('0b000000-0000-4000-8000-000000000701', '0b000000-0000-4000-8000-000000000001', 'whatsapp', 'Nobody',
   '+31205550199', 'hello?', now(), 1);

insert into messages (organization_id, chat_id, content, direction, status, "timestamp") values
  ('0a000000-0000-4000-8000-000000000001', '0a000000-0000-4000-8000-000000000701',
   'Good morning, how can we help?', 'outbound', 'read', now() - interval '20 minutes'),
  ('0a000000-0000-4000-8000-000000000001', '0a000000-0000-4000-8000-000000000701',
   'Is the black one in stock?', 'inbound', null, now() - interval '15 minutes'),
  ('0b000000-0000-4000-8000-000000000001', '0b000000-0000-4000-8000-000000000701',
   'hello?', 'inbound', null, now());

insert into call_logs
  (organization_id, customer_id, call_date, caller_number, called_number, direction, status, duration_seconds) values
  ('0a000000-0000-4000-8000-000000000001', '0a000000-0000-4000-8000-000000000402', now() - interval '1 day',
   '+201005550102', '+20225550100', 'inbound', 'answered', 184),
  ('0b000000-0000-4000-8000-000000000001', null, now() - interval '1 day',
   '+31205550199', '+31205550100', 'inbound', 'missed', 0);
