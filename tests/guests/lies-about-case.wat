;; One decision of a case that the contract does not have.
(data (i32.const 1024) "\00\00\00\00\00\00\00\00\00\05\00\00\01\00\00\00")  ;; ok, list at 1280, 1 long
(data (i32.const 1280) "\2a\00\00\00\00\00\00\00")                          ;; case 42
(func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32)
  (i32.const 1024))
