-- Drop an index on annotation__url_type__user.
--   locks out readers: annotation__url_type__user
DROP INDEX annotation__url_type__user_created_at_idx;
