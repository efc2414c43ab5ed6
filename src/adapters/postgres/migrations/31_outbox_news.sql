-- Up Migration

-- By row: a statement that writes none, such as each look for what is due, tells nobody.
CREATE FUNCTION outrider_outbox_news() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('outrider_outbox', '');
  RETURN NULL;
END
$$;
CREATE TRIGGER outbox_news_of_new AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION outrider_outbox_news();
CREATE TRIGGER outbox_news_of_due AFTER UPDATE OF not_before ON outbox FOR EACH ROW EXECUTE FUNCTION outrider_outbox_news();

-- Down Migration

DROP TRIGGER outbox_news_of_new ON outbox;
DROP TRIGGER outbox_news_of_due ON outbox;
DROP FUNCTION outrider_outbox_news;
